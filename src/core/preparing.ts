// The lock is ours, the app isn't started: first the guard's word, then the fence hook if the last tenure didn't end clean, then the
// volume (attached, then checked), the data (restored, if it is to be, then checked), then pre-start. Where nothing fences, the lease of a
// holder that may not know yet of its loss is
// waited out. The record beside the lock becomes ours in between: whoever dies before that leaves the earlier one to be fenced.

import type { Step } from "./effect.ts";
import { type Context, type Handlers, ignore, is_late, next, stay } from "./handlers.ts";
import { reason } from "./exit.ts";
import { after_app } from "./after.ts";
import { hold_off_ms } from "./restart.ts";
import type { Ending, Hook, Preparing } from "./state.ts";
import { deadline, hear, renew } from "./tenure.ts";
import { ms_between, ms_to_ns } from "./time.ts";
import { ms } from "./timing.ts";

export const preparing: Handlers<Preparing> = {
  "deadline-set": (state, event, context) =>
    is_late(state, event) || state.step !== "opening" ? stay(state) : go_on(state, context),
  "deadline-refused"(state, event, context) {
    if (is_late(state, event)) return stay(state);
    const { tenure } = hear(context.rules, state.tenure, event, context.now_ns);
    if (tenure.open && state.step !== "opening") return next({ ...state, tenure }, [], null);
    return end(
      { ...state, tenure },
      { why: "lease-lost", because: `the guard refused its deadline (${event.status})` },
      context,
    );
  },
  "hook-done"(state, event, context) {
    if (is_late(state, event) || event.hook !== state.step) return stay(state);
    if (event.alive) return undead(state, event.hook);
    if (event.failure !== null)
      return ended_hook(state, { why: "hook-failed", hook: event.hook, because: event.failure }, context);
    return go_on(state, context);
  },
  marked(state, event, context) {
    if (is_late(state, event) || state.step !== "marking") return stay(state);
    return go_on({ ...state, tenure: { ...state.tenure, marked: true } }, context);
  },
  unmarked(state, event, context) {
    if (is_late(state, event) || state.step !== "marking") return stay(state);
    const { now_ns } = context;
    return next(
      { ...state, mark_at_ns: now_ns + ms_to_ns(context.rules.timing.retry_ms) },
      [],
      event.because,
    );
  },
  tick(state, _, { rules, now_ns }) {
    if (now_ns >= deadline(rules, state.tenure)) return end(state, ran_out(state), { rules, now_ns });
    const { tenure, effects } = renew(state.tenure, now_ns);
    if (state.step === "outwaiting" && now_ns >= (tenure.previous_until_ns ?? 0n)) {
      const { effects: more, ...rest } = go_on({ ...state, tenure }, { rules, now_ns });
      return { ...rest, effects: [...effects, ...more] };
    }
    if (state.rest !== null && now_ns >= state.rest.until_ns) {
      const { effects: more, ...rest } = go_on({ ...state, tenure }, { rules, now_ns });
      return { ...rest, effects: [...effects, ...more] };
    }
    if (state.mark_at_ns === null || now_ns < state.mark_at_ns)
      return next({ ...state, tenure }, effects, null);
    return next(
      { ...state, tenure, mark_at_ns: null },
      [...effects, { do: "mark", tenure: tenure.id }],
      null,
    );
  },
  proved: (state, event, context) => heard(state, event, context),
  unproved: (state, event, context) => heard(state, event, context),
  lost(state, event, context) {
    if (is_late(state, event)) return stay(state);
    const tenure = { ...state.tenure, ours: false };
    return end({ ...state, tenure }, { why: "lease-lost", because: event.because }, context);
  },
  "volume-lost": (state, event, context) =>
    is_late(state, event) ? stay(state) : end(state, { why: "volume-lost", because: event.because }, context),
  stop: (state, event, context) => end(state, { why: "stop-requested", signal: event.signal }, context),
  ...ignore(
    "begin",
    "taken",
    "busy",
    "free",
    "unknown",
    "refused",
    "released",
    "unreleased",
    "start-refused",
  ),
  ...ignore("started", "ended", "killing", "empty", "undead", "drained", "ready", "unready"),
};

function heard(state: Preparing, event: Parameters<typeof hear>[2], { rules, now_ns }: Context): Step {
  const { tenure, effects } = hear(rules, state.tenure, event, now_ns);
  return next({ ...state, tenure }, effects, event.type === "unproved" ? event.because : null);
}

/** What comes after the step that is done: no hook is running. */
function go_on(state: Preparing, { rules, now_ns }: Context): Step {
  const { tenure } = state;
  const { previous, id, token, lock_token } = tenure;
  if (now_ns >= deadline(rules, tenure)) return ended_hook(state, ran_out(state), { rules, now_ns });
  const same_boot = previous !== null && previous.boot_id === rules.boot_id;
  if (!tenure.marked && rules.hooks.fence && state.step === "opening") {
    const because = `fencing first: the last holder, ${previous?.holder}, did not end clean`;
    const effect = { do: "hook", hook: "fence", tenure: id, previous, same_boot, because } as const;
    return next({ ...state, step: "fence" }, [effect], because);
  }
  const left_ms = tenure.previous_until_ns === null ? 0 : ms_between(now_ns, tenure.previous_until_ns);
  if (!tenure.marked && state.step === "opening" && left_ms > 0)
    return next(
      { ...state, step: "outwaiting" },
      [],
      `${previous?.holder} may not know that it has lost the lock: waiting ${ms(left_ms)}, the rest of its lease`,
    );
  if (!tenure.marked)
    return next({ ...state, step: "marking", mark_at_ns: null }, [{ do: "mark", tenure: id }], null);
  const hold_ms = hold_off_ms(tenure);
  for (const [hook, wanted, because] of [
    ["attach", rules.hooks.attach, "attaching the volume"],
    ["verify", rules.hooks.verify, null],
    ["restore", rules.hooks.restore, null],
    ["resting", hold_ms > 0, null],
    ["data", rules.hooks.data, null],
    ["pre-start", rules.hooks.pre_start, "running the pre-start hook"],
  ] as const) {
    if (!wanted || is_past(state.step, hook)) continue;
    if (hook === "resting") return hold_off(state, hold_ms, now_ns);
    const attached = tenure.attached || hook === "attach";
    const touched = tenure.touched || ["restore", "data", "pre-start"].includes(hook);
    return next(
      { ...state, tenure: { ...tenure, attached, touched }, step: hook, rest: null },
      [{ do: "hook", hook, tenure: id, previous, same_boot, because: "" }],
      because,
    );
  }
  return next(
    {
      at: "running",
      tenure: { ...tenure, touched: true },
      pid: null,
      unready: "it is being started",
      ready_by_ns: null,
    },
    [{ do: "start", tenure: id, token, lock_token }],
    "starting the app",
  );
}

/** Held, so that nobody else tries it meanwhile. */
function hold_off(state: Preparing, hold_ms: number, now_ns: bigint): Step {
  const { failures, holder } = state.tenure.previous ?? { failures: 0, holder: "" };
  return next(
    { ...state, step: "resting", rest: { until_ns: now_ns + ms_to_ns(hold_ms), end: null } },
    [],
    `the app has failed ${failures} times in a row, the last time on ${holder}: it is started in ${ms(hold_ms)}`,
  );
}

/** Whether this step of the volume's and the user's is done, or was begun. */
function is_past(
  step: Preparing["step"],
  one: "attach" | "verify" | "restore" | "resting" | "data" | "pre-start",
): boolean {
  const order: Preparing["step"][] = ["attach", "verify", "restore", "resting", "data", "pre-start"];
  return order.indexOf(step) >= order.indexOf(one);
}

function ran_out({ tenure }: Preparing): Ending {
  return { why: "lease-lost", because: tenure.trouble ?? "no renewal was answered in time" };
}

/** What can't be killed keeps the lock, for as long as it can be renewed. */
function undead(state: Preparing, hook: Hook): Step {
  const because = "something of it can't be killed";
  const ending: Ending = { why: "hook-failed", hook, because };
  const tenure = { ...state.tenure, open: false };
  const [end, kill_at_ns] = [null, null];
  return next(
    { at: "stopping", tenure, ending, awaited: "hook", end, kill_at_ns, undead: reason(ending) },
    [{ do: "kill", tenure: tenure.id, close: true }],
    `${reason(ending)}; the lock is kept`,
  );
}

/** A hook may be running: it dies with the tenure, and is waited for. */
function end(state: Preparing, ending: Ending, context: Context): Step {
  // Nothing runs, and the hooks after the app still may.
  if (state.rest !== null && state.rest.end !== null)
    return after_app(state.tenure, ending, state.rest.end, [], context, reason(ending));
  if (["opening", "outwaiting", "marking"].includes(state.step) || state.rest !== null)
    return ended_hook(state, ending, context);
  const tenure = { ...state.tenure, open: false };
  return next(
    { at: "stopping", tenure, ending, awaited: "hook", end: null, kill_at_ns: null, undead: null },
    [{ do: "kill", tenure: tenure.id, close: true }],
    reason(ending),
  );
}

function ended_hook(state: Preparing, ending: Ending, context: Context): Step {
  const tenure = { ...state.tenure, open: false };
  return after_app(
    tenure,
    ending,
    null,
    [{ do: "kill", tenure: tenure.id, close: true }],
    context,
    reason(ending),
  );
}
