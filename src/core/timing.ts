import { clock_rate_bound } from "./lease.ts";

/** All durations of one contender, in ms. See the drawing of `leasehold explain`. */
export type Timing = {
  /** The lease's length: asked for, then what the lock service granted. */
  ttl_ms: number;
  /** From the stop signal to SIGKILL when a lease runs out. */
  loss_grace_ms: number;
  /** To flush the volume after the kill. */
  drain_ms: number;
  /** Lateness of the kill that is allowed. */
  margin_ms: number;
  /** From the start of one renewal to the next. */
  renew_ms: number;
  /** How long one renewal may take; then the next server is asked. */
  attempt_ms: number;
  /** From a failed renewal to the next. */
  retry_ms: number;
  /** Of a requested stop: from the stop signal to SIGKILL. */
  stop_timeout_ms: number;
};

/** The defaults that follow from the ttl. */
export function derive(ttl_ms: number): Pick<Timing, "renew_ms" | "attempt_ms" | "retry_ms"> {
  return {
    renew_ms: Math.min(ttl_ms / 6, 3000),
    attempt_ms: Math.min(1500, Math.max(500, ttl_ms / 8)),
    retry_ms: Math.min(250, ttl_ms / 40),
  };
}

/** From the proof's begin to the stop signal: what renewals have, retries included. */
export function quiet_ms(timing: Timing): number {
  const { ttl_ms, loss_grace_ms, drain_ms, margin_ms } = timing;
  return ttl_ms * (1 - clock_rate_bound) - margin_ms - drain_ms - loss_grace_ms;
}

/**
 * Why these durations can't work together, a sentence with the numbers for each; empty when they can.
 * A renewal and two attempts that fail have to fit before the app would be stopped.
 */
export function check(timing: Timing): string[] {
  const { ttl_ms, renew_ms, attempt_ms, loss_grace_ms, drain_ms, margin_ms } = timing;
  const needed_ms = renew_ms + 2 * attempt_ms;
  const left_ms = quiet_ms(timing);
  if (left_ms >= needed_ms) return [];
  const parts = `loss grace ${ms(loss_grace_ms)}, drain ${ms(drain_ms)}, margin ${ms(margin_ms)}`;
  return [
    `a lease of ${ms(ttl_ms)} is too short: ${parts} leave ${ms(left_ms)}, and a renewal every ${ms(renew_ms)} with two ` +
      `attempts of ${ms(attempt_ms)} needs ${ms(needed_ms)}`,
  ];
}

/** 1500 → "1.5 s", 250 → "250 ms". */
export function ms(duration_ms: number): string {
  const rounded = Math.round(duration_ms);
  return Math.abs(rounded) < 1000 ? `${rounded} ms` : `${Math.round(rounded / 10) / 100} s`;
}
