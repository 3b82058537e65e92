// Scenes of a volume, put together by hand.

import { randomUUID } from "node:crypto";
import { type LockRecord, record_format } from "../../../src/core/record.ts";
import { encode_identity } from "../../../src/storage/identity.ts";
import {
  type Beat,
  type Claim,
  encode_beat,
  encode_claim,
  name_of,
} from "../../../src/storage/lease/format.ts";
import { read_scene, type Scene } from "../../../src/storage/lease/scene.ts";

export const volume_id = randomUUID();
export const tv_ms = 10_000;
export const uuid = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;

export function a_record(claim: bigint, more: Partial<LockRecord> = {}): LockRecord {
  return {
    ...{ format: record_format, claim: String(claim), holder: `n${claim}`, instance: `run-${claim}` },
    ...{ boot_id: "b", address: null, state: "running", volume_id, ttl_ms: tv_ms, since: "", failures: 0 },
    ...more,
  };
}

export function a_beat(given: Partial<Beat> & Pick<Beat, "instance" | "claim">): Beat {
  const { claim, state = "running" } = given;
  const self = a_record(claim);
  const beat = { seq: 1, state, ran: state === "running", tv_ms, mode: "file" as const, self, record: self };
  return { ...beat, ...given };
}

export function a_claim(given: Partial<Claim> & Pick<Claim, "instance" | "claim">): Claim {
  return { tv_ms, lock_token: null, self: a_record(given.claim), record: null, ...given };
}

export type Volume = { beats?: Beat[]; claims?: Claim[]; raw?: Record<string, string>; id?: string };

/** How it looks from at_ms on; a look takes 5 ms. */
export function scene(at_ms: number, { beats = [], claims = [], raw = {}, id = volume_id }: Volume): Scene {
  const created = new Date(0).toISOString();
  const identity = encode_identity({ id, label: null, created, tv_ms, directory: true });
  const files: [string, Buffer][] = [
    ["volume.json", identity],
    ...beats.map((beat): [string, Buffer] => [name_of.beat(beat.instance), encode_beat(beat)]),
    ...claims.map((claim): [string, Buffer] => [name_of.claim(claim.claim), encode_claim(claim)]),
    ...Object.entries(raw).map(([name, text]): [string, Buffer] => [name, Buffer.from(text)]),
  ];
  const start_ns = BigInt(Math.round(at_ms * 1e6));
  return read_scene({
    start_ns,
    end_ns: start_ns + 5_000_000n,
    files: files.map(([name, content]) => ({ name, content, error: undefined })),
  });
}
