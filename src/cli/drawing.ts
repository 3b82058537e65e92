import { clock_rate_bound } from "../core/lease.ts";
import { ms, quiet_ms, type Timing } from "../core/timing.ts";

/**
 * The lease as a line, each part with its length, its ends with name and instant:
 *
 *   proof asked               stop signal      SIGKILL         another's
 *   ├─ renew, retry 23.47 s ──┼─ loss grace 5 s ─┼─ margin 1.5 s ─┤
 *   0 s                       23.47 s          28.47 s         29.97 s
 */
export function draw(timing: Timing): string[] {
  const { ttl_ms, loss_grace_ms, drain_ms, margin_ms } = timing;
  const end_ms = ttl_ms * (1 - clock_rate_bound);
  const parts = [
    { begins: "proof asked", part: "renew, retry", length_ms: quiet_ms(timing) },
    { begins: "stop signal", part: "loss grace", length_ms: loss_grace_ms },
    { begins: "SIGKILL", part: "drain", length_ms: drain_ms },
    { begins: drain_ms > 0 ? "flushed" : "SIGKILL", part: "margin", length_ms: margin_ms },
  ].filter(({ length_ms }, index) => index === 0 || length_ms > 0);

  let names = "";
  let line = "";
  let instants = "";
  let at_ms = 0;
  for (const { begins, part, length_ms } of parts) {
    const text = `${line === "" ? "├" : "┼"}─ ${part} ${ms(length_ms)} ─`;
    const width = Math.max(text.length, begins.length + 1, ms(at_ms).length + 1);
    names += begins.padEnd(width);
    line += text.padEnd(width, "─");
    instants += ms(at_ms).padEnd(width);
    at_ms += length_ms;
  }
  const rate = `${ms(ttl_ms - end_ms)} of the ${ms(ttl_ms)} are for clocks that differ in rate`;
  return [
    `${names}another's`,
    `${line}┤`,
    `${instants}${ms(end_ms)}`,
    "",
    `From there on the lock may be another's; ${rate}.`,
  ];
}
