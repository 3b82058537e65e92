// The record beside the lock and the contenders' registrations, as JSON: the same for every backend.

import { type Identity, type LockRecord, read_record, record_format } from "../core/record.ts";
import { LockNewer, LockRefused } from "../errors.ts";
import type { Contender } from "./lock.ts";
import type { Sighting } from "./sighting.ts";
import { type Json, parse_json } from "./json.ts";

type Told = Pick<LockRecord, "state" | "since" | "ttl_ms"> & { token: bigint | null; failures?: number };

export function record_of(
  { holder, instance, boot_id, address, volume_id }: Identity,
  { token, failures = 0, ...more }: Told,
): LockRecord {
  const claim = token === null ? "" : String(token);
  return { format: record_format, claim, holder, instance, boot_id, address, volume_id, ...more, failures };
}

/** When the last holder was last seen, for who takes over; null: there was none, or it was this one. */
export function previous_seen(
  previous: LockRecord | null,
  { instance }: Identity,
  sighting: Sighting,
): bigint | null {
  if (previous === null || previous.instance === instance) return null;
  return sighting.last_of(/^\d+$/.test(previous.claim) ? BigInt(previous.claim) : null);
}

export function contender_of({ holder: node, instance, address }: Identity): Contender {
  return { node, instance, address };
}

/** at: its path, for people. Throws LockRefused for what leasehold didn't write, LockNewer for what a newer one did. */
export function parse_record(text: string, at: string): LockRecord {
  const value = parse_json(text);
  const { format } = value;
  if (typeof format === "number" && Number.isInteger(format) && format > record_format)
    throw new LockNewer(
      `the record at ${at} is of a newer leasehold (format ${format}, this one knows ${record_format})`,
      String(format),
      "let the newer one run there, and upgrade this one",
    );
  const record = read_record(value);
  if (record === null)
    throw new LockRefused(
      `what lies at ${at} was not written by leasehold`,
      at,
      "choose another path in --lock, or delete it if nobody needs it",
    );
  return record;
}

/** null: not a contender's registration. */
export function parse_contender(text: string): Contender | null {
  const value = parse_json(text);
  if (!strings(value, ["node", "instance"]) || !nullable(value.address)) return null;
  return { node: value.node, instance: value.instance, address: value.address };
}

function strings<K extends string>(value: Json, keys: readonly K[]): value is Json & Record<K, string> {
  return keys.every((key) => typeof value[key] === "string");
}

function nullable(value: unknown): value is string | null {
  return value === null || typeof value === "string";
}
