// An app that failed is started again in the same tenure, after a pause, with nothing of it left. One that fails on each node in turn
// is paused for, too: the record counts.

import type { Step } from "./effect.ts";
import { outcome } from "./exit.ts";
import { type Context, next } from "./handlers.ts";
import type { AppEnd, Ending, Stopping, Tenure } from "./state.ts";
import { is_provably_ours } from "./tenure.ts";
import { ms_between, ms_to_ns } from "./time.ts";
import { ms } from "./timing.ts";

/** Before the app is started after that many failures. */
function pause_ms(failures: number): number {
  return Math.min(1000 * 2 ** (failures - 1), 30_000);
}

/** An app that ran for so long begins to be counted anew. */
const steady_ms = 60_000;

/** null: the tenure ends. */
export function restart({ tenure, ending, end, undead }: Stopping, { rules, now_ns }: Context): Step | null {
  if (ending.why !== "app-ended" || end === null || !has_failed(end) || undead !== null) return null;
  if (!tenure.open || !is_provably_ours(tenure, now_ns)) return null;
  const before = is_steady(tenure, now_ns) ? 0 : tenure.restarts;
  if (before >= rules.restarts_max) return null;
  const wait_ms = pause_ms(before + 1);
  const rest = { until_ns: now_ns + ms_to_ns(wait_ms), end };
  const of = rules.restarts_max === Infinity ? "" : ` of ${rules.restarts_max}`;
  return next(
    { at: "preparing", tenure: { ...tenure, restarts: before + 1 }, step: "resting", mark_at_ns: null, rest },
    [],
    `the app is started again in ${ms(wait_ms)}, restart ${before + 1}${of}`,
  );
}

/** For the record: how often the app has failed, one time after the other. One that wasn't started says nothing of it. */
export function failures_after(tenure: Tenure, ending: Ending, end: AppEnd | null, now_ns: bigint): number {
  const before = tenure.previous?.failures ?? 0;
  if (end === null) return before;
  const failed =
    ending.why === "never-ready" || (ending.why === "app-ended" && outcome(ending, end).code !== 0);
  if (!failed) return 0;
  return is_steady(tenure, now_ns) ? 1 : before + 1;
}

/** How long the lock is held before an app is started that has failed again and again. The first failure may be the node's fault. */
export function hold_off_ms({ previous }: Tenure): number {
  const failures = previous?.failures ?? 0;
  return failures < 2 ? 0 : pause_ms(failures - 1);
}

function is_steady({ started_ns }: Tenure, now_ns: bigint): boolean {
  return started_ns !== null && ms_between(started_ns, now_ns) >= steady_ms;
}

/** What can't be executed won't be executable in a second. */
function has_failed({ how, value }: AppEnd): boolean {
  return how === "signal" || (how === "exit" && value !== 0);
}
