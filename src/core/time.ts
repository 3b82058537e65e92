/**
 * Time as a parameter. Instants are nanoseconds of CLOCK_BOOTTIME (bigint), durations are milliseconds (number). The real one
 * is shell/time.ts; the simulator's is virtual.
 */
export interface Time {
  /** Never ahead of the true clock (guard/clock.ts). */
  now_ns(): bigint;
  /** Calls back once, not before delay_ms have passed. Returns what takes it back. */
  after(delay_ms: number, callback: () => void): () => void;
}

/** Whole nanoseconds, rounded down: a shorter lease is the safe side. */
export function ms_to_ns(duration_ms: number): bigint {
  return BigInt(Math.floor(duration_ms * 1e6));
}

/** Milliseconds from `from_ns` to `to_ns`, for logs and timers; negative when it lies before. */
export function ms_between(from_ns: bigint, to_ns: bigint): number {
  return Number(to_ns - from_ns) / 1e6;
}
