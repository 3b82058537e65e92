// An app that failed is started again in the same tenure, after a pause, with nothing of it left.

import type { Step } from "./effect.ts";
import { type Context, next } from "./handlers.ts";
import type { AppEnd, Stopping } from "./state.ts";
import { is_provably_ours } from "./tenure.ts";
import { ms_between, ms_to_ns } from "./time.ts";
import { ms } from "./timing.ts";

const pause_ms = { first: 1000, most: 30_000 };

/** An app that ran for so long begins to be counted anew. */
const steady_ms = 60_000;

/** null: the tenure ends. */
export function restart({ tenure, ending, end, undead }: Stopping, { rules, now_ns }: Context): Step | null {
  if (ending.why !== "app-ended" || end === null || !has_failed(end) || undead !== null) return null;
  if (!tenure.open || !is_provably_ours(tenure, now_ns)) return null;
  const ran_ms = tenure.started_ns === null ? 0 : ms_between(tenure.started_ns, now_ns);
  const before = ran_ms >= steady_ms ? 0 : tenure.restarts;
  if (before >= rules.restarts_max) return null;
  const wait_ms = Math.min(pause_ms.first * 2 ** before, pause_ms.most);
  const rest = { until_ns: now_ns + ms_to_ns(wait_ms), end };
  const of = rules.restarts_max === Infinity ? "" : ` of ${rules.restarts_max}`;
  return next(
    { at: "preparing", tenure: { ...tenure, restarts: before + 1 }, step: "resting", mark_at_ns: null, rest },
    [],
    `the app is started again in ${ms(wait_ms)}, restart ${before + 1}${of}`,
  );
}

/** What can't be executed won't be executable in a second. */
function has_failed({ how, value }: AppEnd): boolean {
  return how === "signal" || (how === "exit" && value !== 0);
}
