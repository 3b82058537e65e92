import { ms_to_ns, type Time } from "../../core/time.ts";
import type { Link } from "./link.ts";
import { settle_ms } from "./round.ts";

// A standby does most of its first round beforehand (docs/decisions/0019-warm-standby.md): the round is about the session, not
// about the lock, so the session can be attached anew and a first write acknowledged long before there is a lock to take.
// The lock's creation on the same connection is then the second write.

/** A connection that is older is made anew by who wants to be warm. */
export const young_ms = (lease_ms: number): number => lease_ms / 4;
/** What is proved by an older one leaves too little of the lease. */
const useful_ms = (lease_ms: number): number => lease_ms / 3;

/**
 * When a standby looks next, and replaces its connection if that is not young any more, given when that would be. While the lease of a
 * holder that renews no more may end, its watch is not broken: who doesn't see the end can't say when the last renewal was, and
 * waits for a whole lease (docs/decisions/0014-outwaiting.md).
 */
export function next_look_ms(left_ms: number, silent_ms: number, lease_ms: number): number {
  const [from_ms, to_ms] = [0.75 * lease_ms, 1.5 * lease_ms];
  const at_ms = silent_ms + left_ms;
  return Math.max(0, silent_ms < to_ms && at_ms > from_ms ? Math.max(at_ms, to_ms) - silent_ms : left_ms);
}

/** A write on this connection was acknowledged just now. */
export function wrote({ state }: Link, time: Pick<Time, "now_ns">): void {
  state.written_ns ??= time.now_ns();
}

/**
 * A write that is sent on this connection from now on, once it is acknowledged, proves that the session doesn't end before a
 * whole lease from this instant is over. null: it proves nothing yet, or nothing useful any more.
 */
export function warm_since(
  { asked_ns, begins, state }: Link,
  now_ns: bigint,
  lease_ms: number,
): bigint | null {
  // From the answer to the first write, which comes after the session's own. A session that begins needs none: its beginning is
  // itself a write, and its leader counts from then on (docs/decisions/0027-new-session.md).
  const settled = state.written_ns !== null && now_ns - state.written_ns >= ms_to_ns(settle_ms);
  if (!begins && !settled) return null;
  return now_ns - asked_ns <= ms_to_ns(useful_ms(lease_ms)) ? asked_ns : null;
}
