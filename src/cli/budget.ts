import type { Settings } from "../config/load.ts";
import { ms } from "../core/timing.ts";

/** The longest that a requested stop takes until the lock is given back: what an orchestrator has to wait before it kills. */
export type StopBudget = { needed_ms: number; needed_s: number; parts: string };

export function stop_budget({ timing, hooks, hook_timeout_ms, attach }: Settings): StopBudget {
  const rows: readonly (readonly [what: string, length_ms: number])[] = [
    ["stop timeout", timing.stop_timeout_ms],
    ["drain", timing.drain_ms],
    ["post-stop hook", hooks.post_stop ? hook_timeout_ms : 0],
    ["unmount and detach", attach ? 2 * attach.step_timeout_ms : 0],
    ["release", 2 * timing.attempt_ms],
  ];
  const needed_ms = rows.reduce((sum, [, length_ms]) => sum + length_ms, 0);
  const parts = rows
    .filter(([what, length_ms]) => what === "stop timeout" || length_ms > 0)
    .map(([what, length_ms]) => `${what} ${ms(length_ms)}`)
    .join(" + ");
  return { needed_ms, needed_s: Math.ceil(needed_ms / 1000), parts };
}
