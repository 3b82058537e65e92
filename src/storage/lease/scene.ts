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
  /** null: volume.json is missing or can't be used. */
  identity: Identity | null;
  claims: ReadonlyMap<bigint, Seen<Claim>>;
  /** By instance. */
  beats: ReadonlyMap<string, Seen<Beat>>;
  standbys: ReadonlyMap<string, Seen<Standby>>;
  /** Instances whose temporary file lies there. */
  temporaries: readonly string[];
};

export function read_scene({ start_ns, end_ns, files }: View): Scene {
  const claims = new Map<bigint, Seen<Claim>>();
  const beats = new Map<string, Seen<Beat>>();
  const standbys = new Map<string, Seen<Standby>>();
  const temporaries: string[] = [];
  let identity: Identity | null = null;
  for (const { name, error, content } of files) {
    const named = parse_name(name);
    const see = <T>(decoded: () => T | string): Seen<T> => seen(content, error, decoded);
    switch (named?.kind) {
      case "identity":
        identity = see(() => decode_identity(content)).value;
        break;
      case "claim":
        claims.set(
          named.claim,
          see(() => decode_claim(content, named.claim)),
        );
        break;
      case "beat":
        beats.set(
          named.instance,
          see(() => decode_beat(content, named.instance)),
        );
        break;
      case "standby":
        standbys.set(
          named.instance,
          see(() => decode_standby(content, named.instance)),
        );
        break;
      case "tmp":
        temporaries.push(named.instance);
        break;
      case undefined:
        break;
    }
  }
  return { start_ns, end_ns, identity, claims, beats, standbys, temporaries };
}

function seen<T>(content: Buffer, error: string | undefined, decode: () => T | string): Seen<T> {
  if (error !== undefined) return { bytes: "", value: null, wrong: `can't be read (${error})` };
  const bytes = content.toString("latin1");
  const value = decode();
  return typeof value === "string" ? { bytes, value: null, wrong: value } : { bytes, value, wrong: null };
}

/** The claims that name this instance. */
export function claims_of(scene: Scene, instance: string): Claim[] {
  return [...scene.claims.values()].flatMap(({ value }) => (value?.instance === instance ? [value] : []));
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
