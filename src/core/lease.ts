import { ms_to_ns } from "./time.ts";

/**
 * What a backend has proved: the lock can't be another's before t0_ns + bound_ms.
 * t0_ns: CLOCK_BOOTTIME just before the proof was asked for. bound_ms: the length that the lock service granted.
 */
export type Proof = { t0_ns: bigint; bound_ms: number };

/** The parts of a lease that are not the app's. */
export type Reserve = { drain_ms: number; margin_ms: number };

/** How much faster another machine's clock may run than ours. NTP slews by 5e-4; crystals are off by 1e-4. */
export const clock_rate_bound = 1e-3;

/** When the guard has to begin the kill: what is left after it is for the drain, the kill's lateness and the clock's rate. */
export function deadline_of(proof: Proof, { drain_ms, margin_ms }: Reserve): bigint {
  return proof.t0_ns + ms_to_ns(proof.bound_ms * (1 - clock_rate_bound)) - ms_to_ns(drain_ms + margin_ms);
}

/** Until when our lock can't be another's, the clock's rate taken into account. The drain has to end before. */
export function end_of(proof: Proof): bigint {
  return proof.t0_ns + ms_to_ns(proof.bound_ms * (1 - clock_rate_bound));
}
