// The files of the volume lease, in <volume>/.leasehold/. Pure. What is read there was written by others, on storage that
// may tear it: everything is bounded and checked, and what can't be used is told as a sentence's end, never thrown.

import { crc32 } from "node:zlib";
import { type LockRecord, read_record } from "../../core/record.ts";

/** A beat is one block, written whole, at the file's beginning; the rest is zeros. */
const block_bytes = 4096;

/** claiming: the app isn't started under this claim yet. released: dead, or never started; for ever. */
type BeatState = "claiming" | "running" | "released";
/** For people: by which rule its app's deadline is found (R2). */
export type Mode = "file" | "stop" | "hold";

/** One instance: one attempt to hold the volume, under a fresh uuid (R1). */
export type Beat = {
  /** Its uuid, and the file's name. */
  instance: string;
  claim: bigint;
  /** Grows with each beat. */
  seq: number;
  state: BeatState;
  /** It was `running` at some time: its record is the one beside the lock. */
  ran: boolean;
  /** The lease's length by which it lives. Whoever waits for its silence counts with this one, not with his own. */
  tv_ms: number;
  mode: Mode;
  /** Who it is, for people and for the fence hook. */
  self: LockRecord;
  /** The record beside the lock, as this instance found or has made it. */
  record: LockRecord | null;
};

/** Made once, never overwritten. instance null: by `volume init`, so that a volume is never without a claim. */
export type Claim = {
  claim: bigint;
  instance: string | null;
  tv_ms: number;
  lock_token: bigint | null;
  self: LockRecord | null;
  /** The record beside the lock that its maker had found. */
  record: LockRecord | null;
};

/** A contender that stands by, for `status`; the rules know nothing of it. */
export type Standby = {
  instance: string;
  node: string;
  address: string | null;
  /** Changes whenever it is written, and means nothing. */
  at: string;
};

type Fields = Readonly<Record<string, unknown>>;

const format = 1;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** What the guard allows for a deadline. */
const tv_max_ms = 86_400_000;
/** As many as a token has bits. */
const claim_max = 2n ** 63n - 1n;

export const name_of = {
  beat: (instance: string): string => `${instance}.beat`,
  claim: (n: bigint): string => `${n}.claim`,
  standby: (instance: string): string => `${instance}.standby`,
  /** Where a claim is written before it gets its name; the instance's own. */
  temporary: (instance: string): string => `${instance}.tmp`,
} as const;

/** What a file is by its name; null: not one of ours. */
export type Named =
  | { kind: "beat" | "standby" | "tmp"; instance: string }
  | { kind: "claim"; claim: bigint }
  | { kind: "identity" };

export function parse_name(name: string): Named | null {
  if (name === "volume.json") return { kind: "identity" };
  const [stem = "", kind, more] = name.split(".");
  if (more !== undefined) return null;
  if (kind === "claim") {
    const claim = claim_number(stem);
    return claim === null ? null : { kind, claim };
  }
  if (kind !== "beat" && kind !== "standby" && kind !== "tmp") return null;
  return uuid.test(stem) ? { kind, instance: stem } : null;
}

export function encode_beat(beat: Beat): Buffer {
  const text = sealed("beat", { ...beat, claim: String(beat.claim) });
  if (text.length > block_bytes) throw new Error(`a beat of ${text.length} bytes does not fit its block`);
  const block = Buffer.alloc(block_bytes);
  text.copy(block);
  return block;
}

export function encode_claim(claim: Claim): Buffer {
  const { lock_token } = claim;
  return sealed("claim", {
    ...claim,
    claim: String(claim.claim),
    lock_token: lock_token === null ? null : String(lock_token),
  });
}

export function encode_standby(standby: Standby): Buffer {
  return sealed("standby", standby);
}

/** The beat of this instance, or what is wrong with it. */
export function decode_beat(bytes: Buffer, instance: string): Beat | string {
  const fields = unsealed("beat", bytes);
  if (typeof fields === "string") return fields;
  const { seq, state, ran, tv_ms, mode } = fields;
  const claim = claim_number(fields.claim);
  const self = record_in(fields.self);
  const record = record_in(fields.record);
  if (fields.instance !== instance) return "is another instance's";
  if (claim === null || typeof seq !== "number" || typeof ran !== "boolean" || !is_tv(tv_ms))
    return "lacks a field";
  if (state !== "claiming" && state !== "running" && state !== "released") return "has no known state";
  if (mode !== "file" && mode !== "stop" && mode !== "hold") return "has no known mode";
  if (!self || record === undefined) return "has no proper record";
  return { instance, claim, seq, state, ran, tv_ms, mode, self, record };
}

/** The claim of this number, or what is wrong with it. */
export function decode_claim(bytes: Buffer, claim: bigint): Claim | string {
  const fields = unsealed("claim", bytes);
  if (typeof fields === "string") return fields;
  const { instance, tv_ms } = fields;
  const lock_token = fields.lock_token === null ? null : claim_number(fields.lock_token);
  const self = record_in(fields.self);
  const record = record_in(fields.record);
  if (fields.claim !== String(claim)) return "is another number's";
  if (instance !== null && !(typeof instance === "string" && uuid.test(instance))) return "names no instance";
  if (!is_tv(tv_ms) || (lock_token === null && fields.lock_token !== null)) return "lacks a field";
  if (self === undefined || record === undefined) return "has no proper record";
  return { claim, instance, tv_ms, lock_token, self, record };
}

export function decode_standby(bytes: Buffer, instance: string): Standby | string {
  const fields = unsealed("standby", bytes);
  if (typeof fields === "string") return fields;
  const { node, address, at } = fields;
  if (fields.instance !== instance || typeof node !== "string" || typeof at !== "string")
    return "lacks a field";
  if (address !== null && typeof address !== "string") return "lacks a field";
  return { instance, node, address, at };
}

/** One line: the checksum of all that follows it, and JSON. */
function sealed(kind: string, fields: Fields): Buffer {
  const body = `${JSON.stringify({ format, kind, ...fields })}\n`;
  return Buffer.from(`${checksum(Buffer.from(body))} ${body}`);
}

function unsealed(kind: string, bytes: Buffer): Fields | string {
  const end = bytes.lastIndexOf(0x0a) + 1;
  if (end === 0) return bytes.length === 0 ? "is empty" : "is torn or foreign";
  if (bytes.subarray(end).some((byte) => byte !== 0)) return "is torn or foreign";
  const body = bytes.subarray(9, end);
  if (bytes.toString("latin1", 0, 9) !== `${checksum(body)} `) return "is torn or foreign";
  const fields = object_of(body);
  if (!fields) return "is no JSON object";
  if (fields.format !== format)
    return `has format ${String(fields.format)}, and this leasehold knows ${format}`;
  return fields.kind === kind ? fields : `is no ${kind}`;
}

function object_of(body: Buffer): Fields | null {
  try {
    const value: unknown = JSON.parse(body.toString());
    return typeof value === "object" && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}

function checksum(bytes: Buffer): string {
  return crc32(bytes).toString(16).padStart(8, "0");
}

/** undefined: it is neither a record nor null. */
function record_in(value: unknown): LockRecord | null | undefined {
  if (value === null) return null;
  if (typeof value !== "object") return undefined;
  return read_record({ ...value }) ?? undefined;
}

function claim_number(value: unknown): bigint | null {
  if (typeof value !== "string" || !/^(0|[1-9]\d{0,18})$/.test(value)) return null;
  const n = BigInt(value);
  return n <= claim_max ? n : null;
}

function is_tv(value: unknown): value is number {
  return typeof value === "number" && value >= 1 && value <= tv_max_ms;
}

/**
 * The claim that `volume init` makes, before volume.json: a volume without any claim is one whose files were removed, and there a
 * take-over waits for a whole lease. With a greater n, after a restore: where the counter goes on.
 */
export function first_claim(n: bigint, tv_ms: number): { name: string; content: Buffer } {
  const nobody = { instance: null, lock_token: null, self: null, record: null };
  return { name: name_of.claim(n), content: encode_claim({ claim: n, tv_ms, ...nobody }) };
}
