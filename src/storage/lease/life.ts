// One instance and what it writes of itself. Pure.

import type { Proof } from "../../core/lease.ts";
import { type Identity, type LockRecord, record_format } from "../../core/record.ts";
import { type Beat, encode_beat, type Mode, name_of } from "./format.ts";
import type { Own } from "./rules.ts";
import type { Write } from "./store.ts";

/** R1: one instance, one claim, one life. */
export type Life = Own & {
  readonly tv_ms: number;
  readonly mode: Mode;
  readonly self: LockRecord;
  seq: number;
  state: "claiming" | "running";
  /** The record beside the lock: as it was found, or, once the app is ours to start, our own. */
  record: LockRecord | null;
  /** R3: once it has passed, the instance has ended: the end of the last beat that counted. */
  chain_ns: bigint;
  /** Since when the own claim hasn't been seen; null: it was there. */
  claim_missing_ns: bigint | null;
  /** R1: for ever. */
  ended: string | null;
};

/** What a beat has come to. proof null: it doesn't count, and flaw says why. */
export type Beaten = { proof: Proof; flaw: null } | { proof: null; flaw: string };

/** As it is now: it may have ended while something was waited for. */
export function end_of({ ended }: Life): string | null {
  return ended;
}

/** R1: ended is final. */
export function end(life: Life, because: string): void {
  life.ended ??= because;
}

export function is_marked({ record, self }: Life): boolean {
  return record === self;
}

export function self_of(
  { holder, instance, boot_id, address, volume_id }: Identity,
  claim: bigint,
  tv_ms: number,
): LockRecord {
  return {
    ...{ format: record_format, claim: String(claim), holder, instance, boot_id, address, volume_id },
    ...{ state: "running", ttl_ms: tv_ms, since: new Date().toISOString(), failures: 0 },
  };
}

export function beat_of(life: Life): Beat {
  const { instance, claim, seq, state, tv_ms, mode, self, record } = life;
  return { instance, claim, seq, state, ran: state === "running", tv_ms, mode, self, record };
}

export function write_of(beat: Beat): Write {
  return { do: "write", name: name_of.beat(beat.instance), content: encode_beat(beat) };
}

/** R7: of a claim that came to nothing. Nothing was started under it, and nothing ever will be. */
export function withdrawn(life: Life): Beat {
  return { ...beat_of(life), state: "released", ran: false, seq: 0 };
}

/** R7: of one whose app is dead, and its writes are on the volume. The same at any time, so that it can be prepared. */
export function released(life: Life, state: "clean" | "as-found", failures: number): Beat {
  const record: LockRecord | null = state === "clean" ? { ...life.self, state, failures } : life.record;
  return { ...beat_of(life), state: "released", seq: 0, record };
}

/** Of one whose app is dead, but what it wrote may not be on the volume: it is not `released`, and its silence is waited for. */
export function unclean(life: Life, failures: number): Beat {
  return { ...beat_of(life), seq: life.seq + 1, record: { ...life.self, state: "unclean", failures } };
}
