// The guard was ordered to start the app, or the app runs. It ends by itself, on request, or because the lease does.

import type { Effect } from "./effect.ts";
import { reason, tell } from "./exit.ts";
import { after_app } from "./after.ts";
import { type Handlers, ignore, is_late, next, stay } from "./handlers.ts";
import type { Ending, Running, Stopping } from "./state.ts";
import { deadline, hear, renew, soft_deadline } from "./tenure.ts";
import { ms_between, ms_to_ns } from "./time.ts";
import { ms } from "./timing.ts";

export const running: Handlers<Running> = {
  started(state, event, { rules, now_ns }) {
    if (is_late(state, event)) return stay(state);
    const { pid } = event;
    const because = `the app runs, process ${pid}`;
    const tenure = { ...state.tenure, started_ns: now_ns };
    if (rules.ready_timeout_ms === null) return next({ ...state, tenure, pid, unready: null }, [], because);
    const ready_by_ns = now_ns + ms_to_ns(rules.ready_timeout_ms);
    const watch: Effect = { do: "watch-ready", tenure: tenure.id };
    return next({ ...state, tenure, pid, unready: "it was not asked yet", ready_by_ns }, [watch], because);
  },
  ready(state, event) {
    if (is_late(state, event) || state.pid === null || state.unready === null) return stay(state);
    const again = state.ready_by_ns === null;
    return next(
      { ...state, unready: null, ready_by_ns: null },
      [],
      `the app is ready${again ? " again" : ""}`,
    );
  },
  unready(state, event) {
    if (is_late(state, event) || state.pid === null) return stay(state);
    const news = state.unready === null;
    const because = `the app is not ready: ${event.because}`;
    return next({ ...state, unready: event.because }, [], news ? because : null);
  },
  "start-refused"(state, event, context) {
    if (is_late(state, event)) return stay(state);
    const because = `the guard did not start the app (${event.status})`;
    const ending: Ending =
      event.status === "late" ? { why: "lease-lost", because } : { why: "guard", because };
    return after_app({ ...state.tenure, open: false }, ending, null, [], context, because);
  },
  ended(state, event) {
    if (is_late(state, event)) return stay(state);
    const ending: Ending = { why: "app-ended" };
    return next({ ...stopping(state, ending, null), end: event.end }, [], `the app ${tell(event.end)}`);
  },
  empty: (state, event, context) =>
    is_late(state, event)
      ? stay(state)
      : after_app(state.tenure, { why: "app-ended" }, null, [], context, null),
  killing(state, event, { now_ns }) {
    if (is_late(state, event)) return stay(state);
    if (event.why === "main_ended") return stay(state);
    const ending: Ending =
      event.why === "deadline"
        ? { why: "lease-lost", because: silence(state, now_ns) }
        : { why: "guard", because: `the guard kills the app: ${event.why}` };
    return next(
      stopping({ ...state, tenure: { ...state.tenure, open: false } }, ending, null),
      [],
      reason(ending),
    );
  },
  undead: (state, event) => (is_late(state, event) ? stay(state) : next(state, [], event.what)),
  tick(state, _, { rules, now_ns }) {
    const soft_ns = soft_deadline(rules, state.tenure);
    if (now_ns >= soft_ns && rules.timing.loss_grace_ms > 0) {
      const ending: Ending = { why: "lease-lost", because: silence(state, now_ns) };
      const left_ms = ms_between(now_ns, deadline(rules, state.tenure));
      const signal: Effect = { do: "signal", tenure: state.tenure.id, signal: rules.stop_signal };
      const because = `${reason(ending)}; the app has ${ms(Math.max(0, left_ms))} to end by itself`;
      return next(stopping(state, ending, deadline(rules, state.tenure)), [signal], because);
    }
    const { tenure, effects } = renew(state.tenure, now_ns);
    if (state.ready_by_ns !== null && now_ns >= state.ready_by_ns) {
      const within = ms(rules.ready_timeout_ms ?? 0);
      const because = `the app was not ready within ${within}: ${state.unready}`;
      const kill_at_ns = now_ns + ms_to_ns(rules.timing.stop_timeout_ms);
      const signal: Effect = { do: "signal", tenure: tenure.id, signal: rules.stop_signal };
      const ending: Ending = { why: "never-ready", because };
      return next(stopping({ tenure }, ending, kill_at_ns), [...effects, signal], `${because}; stopping it`);
    }
    return next({ ...state, tenure }, effects, null);
  },
  proved(state, event, { rules, now_ns }) {
    const { tenure, effects } = hear(rules, state.tenure, event, now_ns);
    const over = state.tenure.trouble !== null && tenure.trouble === null;
    return next({ ...state, tenure }, effects, over ? "the lock is renewed again" : null);
  },
  unproved(state, event, { rules, now_ns }) {
    if (is_late(state, event)) return stay(state);
    const { tenure } = hear(rules, state.tenure, event, now_ns);
    const left_ms = ms_between(now_ns, soft_deadline(rules, tenure));
    const first = state.tenure.trouble === null;
    return next(
      { ...state, tenure },
      [],
      first ? `${event.because}; the lease holds for another ${ms(left_ms)}` : null,
    );
  },
  "deadline-refused"(state, event, { rules, now_ns }) {
    const { tenure } = hear(rules, state.tenure, event, now_ns);
    return next(
      { ...state, tenure },
      [],
      is_late(state, event) ? null : `the guard refused a deadline (${event.status})`,
    );
  },
  lost(state, event) {
    if (is_late(state, event)) return stay(state);
    const tenure = { ...state.tenure, ours: false, open: false };
    const ending: Ending = { why: "lease-lost", because: event.because };
    const kill: Effect = { do: "kill", tenure: tenure.id, close: true };
    return next(stopping({ ...state, tenure }, ending, null), [kill], `${reason(ending)}; killing the app`);
  },
  "volume-lost"(state, event, { rules, now_ns }) {
    if (is_late(state, event)) return stay(state);
    const ending: Ending = { why: "volume-lost", because: event.because };
    const { id } = state.tenure;
    if (event.how === "kill") {
      const tenure = { ...state.tenure, open: false };
      const kill: Effect = { do: "kill", tenure: id, close: true };
      return next(stopping({ tenure }, ending, null), [kill], `${reason(ending)}; killing the app`);
    }
    const kill_at_ns = now_ns + ms_to_ns(rules.timing.stop_timeout_ms);
    const signal: Effect = { do: "signal", tenure: id, signal: rules.stop_signal };
    return next(stopping(state, ending, kill_at_ns), [signal], `${reason(ending)}; stopping the app`);
  },
  stop(state, event, { rules, now_ns }) {
    const ending: Ending = { why: "stop-requested", signal: event.signal };
    const kill_at_ns = now_ns + ms_to_ns(rules.timing.stop_timeout_ms);
    const signal: Effect = { do: "signal", tenure: state.tenure.id, signal: rules.stop_signal };
    return next(stopping(state, ending, kill_at_ns), [signal], reason(ending));
  },
  ...ignore(
    "begin",
    "taken",
    "busy",
    "free",
    "unknown",
    "refused",
    "released",
    "unreleased",
    "marked",
    "unmarked",
    "deadline-set",
  ),
  ...ignore("hook-done", "drained"),
};

function stopping(
  { tenure }: { tenure: Stopping["tenure"] },
  ending: Ending,
  kill_at_ns: bigint | null,
): Stopping {
  return { at: "stopping", tenure, ending, awaited: "app", end: null, kill_at_ns, undead: null };
}

/** Why no proof came, with the numbers. */
function silence({ tenure }: Running, now_ns: bigint): string {
  const since = ms(ms_between(tenure.proof.t0_ns, now_ns));
  return `the last proof was asked for ${since} ago, of ${ms(tenure.proof.bound_ms)}; ${tenure.trouble ?? "no later one was answered"}`;
}
