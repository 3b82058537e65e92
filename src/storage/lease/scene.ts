// One look at the directory, understood. Pure.

import { decode_identity, type Identity } from "../identity.ts";
import type { LockRecord } from "../../core/record.ts";
import {
  type Beat,
  type Claim,
  decode_beat,
  decode_claim,
  decode_standby,
  parse_name,
  type Standby,
} from "./format.ts";
import type { View } from "./store.ts";

/** bytes: what was there, to tell a change by. value null: it can't be used, and `wrong` says why. */
export type Seen<T> = { bytes: string; value: T | null; wrong: string | null };

export type Scene = {
  start_ns: bigint;
  end_ns: bigint;
  /** What volume.json says; undefined: it isn't there. */
  identity: Seen<Identity> | undefined;
  claims: ReadonlyMap<bigint, Seen<Claim>>;
  /** The claim that names an instance. It makes one only. */
  named: ReadonlyMap<string, Claim>;
  /** By instance. */
  beats: ReadonlyMap<string, Seen<Beat>>;
  standbys: ReadonlyMap<string, Seen<Standby>>;
  /** Instances whose temporary file lies there. */
  temporaries: readonly string[];
};

/** before: an earlier scene of the same directory. What hasn't changed since isn't understood once more. */
export function read_scene({ start_ns, end_ns, files }: View, before: Scene | null = null): Scene {
  const claims = new Map<bigint, Seen<Claim>>();
  const beats = new Map<string, Seen<Beat>>();
  const standbys = new Map<string, Seen<Standby>>();
  const temporaries: string[] = [];
  let identity: Seen<Identity> | undefined;
  for (const { name, error, content } of files) {
    const its = parse_name(name);
    const bytes = content.toString("latin1");
    const see = <T>(old: Seen<T> | undefined, decode: () => T | string): Seen<T> =>
      old?.bytes === bytes && old.value !== null && error === undefined ? old : seen(bytes, error, decode);
    switch (its?.kind) {
      case "identity":
        identity = see(before?.identity, () => decode_identity(content));
        break;
      case "claim":
        claims.set(
          its.claim,
          see(before?.claims.get(its.claim), () => decode_claim(content, its.claim)),
        );
        break;
      case "beat":
        beats.set(
          its.instance,
          see(before?.beats.get(its.instance), () => decode_beat(content, its.instance)),
        );
        break;
      case "standby":
        standbys.set(
          its.instance,
          see(before?.standbys.get(its.instance), () => decode_standby(content, its.instance)),
        );
        break;
      case "tmp":
        temporaries.push(its.instance);
        break;
      case undefined:
        break;
    }
  }
  const named = new Map<string, Claim>();
  for (const { value } of claims.values())
    if (value && value.instance !== null) named.set(value.instance, value);
  return { start_ns, end_ns, identity, claims, named, beats, standbys, temporaries };
}

function seen<T>(bytes: string, error: string | undefined, decode: () => T | string): Seen<T> {
  if (error !== undefined) return { bytes: "", value: null, wrong: `can't be read (${error})` };
  const value = decode();
  return typeof value === "string" ? { bytes, value: null, wrong: value } : { bytes, value, wrong: null };
}

/** R3: a claim is withdrawn iff the beat of the instance it names says `released`. The operator's binds nobody. */
export function is_withdrawn(scene: Scene, { value }: Seen<Claim>): boolean {
  if (!value) return false;
  if (value.instance === null) return true;
  return scene.beats.get(value.instance)?.value?.state === "released";
}

/** Greater than every claim that is named there; beats name theirs, too, when an operator has removed the claims. */
export function highest_claim(scene: Scene): bigint {
  const named = [...scene.beats.values()].map(({ value }) => value?.claim ?? 0n);
  return [...scene.claims.keys(), ...named].reduce((most, n) => (n > most ? n : most), 0n);
}

/**
 * The record beside the lock: that of the last instance that ran. Whose beat is gone or can't be read may have run, and has to be
 * fenced as it is; who was still claiming hasn't.
 */
export function record_of(scene: Scene): LockRecord | null {
  const numbers = new Map<bigint, Beat | null>();
  for (const { value } of scene.beats.values()) if (value) numbers.set(value.claim, value);
  for (const [n, { value }] of scene.claims)
    if (!numbers.has(n) && value?.instance !== null) numbers.set(n, null);
  for (const n of [...numbers.keys()].toSorted((a, b) => (a < b ? 1 : -1))) {
    const beat = numbers.get(n);
    if (beat && !beat.ran) continue;
    if (beat) return beat.record;
    const claim = scene.claims.get(n)?.value;
    if (!claim?.self) continue;
    return claim.record && claim.record.state !== "clean" ? claim.record : claim.self;
  }
  return null;
}
