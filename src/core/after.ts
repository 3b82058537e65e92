// The app is dead, or was never started: flush, post-stop, release, and then the exit or the next turn.

import type { Effect, Step } from "./effect.ts";
import { failed, outcome } from "./exit.ts";
import { type Context, type Handlers, ignore, is_late, next, stay } from "./handlers.ts";
import { end_of } from "./lease.ts";
import { failures_after } from "./restart.ts";
import type { AppEnd, Draining, Ending, PostStop, Releasing, Tenure } from "./state.ts";
import { hear, is_provably_ours, renew } from "./tenure.ts";
import { ms_to_ns } from "./time.ts";
import { contend } from "./turn.ts";

/** How long a release is tried; then the lease ends by itself. A volume that is lost won't take it a little later either. */
const release_most_ms = { usual: 10_000, volume_lost: 1000 };

type After = { tenure: Tenure; ending: Ending; end: AppEnd | null };

/** Entered with nothing of the app alive, and no hook. */
export function after_app(
  tenure: Tenure,
  ending: Ending,
  end: AppEnd | null,
  effects: Effect[],
  context: Context,
  because: string | null,
): Step {
  const after = { tenure, ending, end };
  if (!context.rules.drains || !tenure.touched) return drained(after, true, effects, context, because);
  // A volume that is lost gets the time that was kept back for it, no more: others may have a better one.
  const budget_ns = context.now_ns + ms_to_ns(context.rules.timing.drain_ms);
  const end_ns = end_of(tenure.proof);
  const until_ns = ending.why === "volume-lost" && budget_ns < end_ns ? budget_ns : end_ns;
  const drain: Effect = { do: "drain", tenure: tenure.id, until_ns };
  return next({ at: "draining", ...after }, [...effects, drain], because ?? "flushing what the app wrote");
}

export const draining: Handlers<Draining> = {
  drained(state, event, context) {
    if (is_late(state, event)) return stay(state);
    return drained(state, event.failure === null, [], context, event.failure);
  },
  ...holding<Draining>(),
  ...ignore("hook-done"),
};

export const post_stop: Handlers<PostStop> = {
  "hook-done"(state, event, context) {
    if (is_late(state, event) || event.hook !== state.hook) return stay(state);
    if (event.alive)
      return release(
        { ...state, clean: false },
        [],
        context,
        `a process of the ${event.hook} hook can't be killed`,
      );
    const { failure, hook } = event;
    const because = failure === null ? null : failed(hook, failure);
    const ending: Ending =
      failure !== null &&
      state.hook !== "lost" &&
      state.hook !== "backup" &&
      outcome(state.ending, state.end).code === 0
        ? { why: "hook-failed", hook, because: failure }
        : state.ending;
    const after = { ...state, ending };
    switch (state.hook) {
      case "lost":
      case "backup":
        return run_post_stop(after, state.clean, [], context, because);
      case "post-stop":
        return detach(after, [], context, because);
      case "detach":
        // What is still mounted here may still be written to: the next one has to fence first.
        return release({ ...after, clean: state.clean && failure === null }, [], context, because);
    }
  },
  ...holding<PostStop>(),
  ...ignore("drained"),
};

export const releasing: Handlers<Releasing> = {
  released: (state, event, context) =>
    is_late(state, event)
      ? stay(state)
      : finish(
          state,
          context,
          state.clean || !state.tenure.marked ? "released the lock" : "released the lock, unclean",
        ),
  unreleased(state, event, context) {
    if (is_late(state, event)) return stay(state);
    const { now_ns, rules } = context;
    if (now_ns >= state.until_ns)
      return finish(state, context, `${event.because}; not released, the lease ends by itself`);
    const retry_at_ns = now_ns + ms_to_ns(rules.timing.retry_ms);
    const news = event.because !== state.trouble;
    return next({ ...state, retry_at_ns, trouble: event.because }, [], news ? event.because : null);
  },
  tick(state, _, { now_ns }) {
    if (state.retry_at_ns === null || now_ns < state.retry_at_ns) return stay(state);
    return next({ ...state, retry_at_ns: null }, [release_effect(state)], null);
  },
  lost: (state, event, context) =>
    is_late(state, event) ? stay(state) : finish(state, context, event.because),
  ...ignore("begin", "taken", "busy", "free", "unknown", "refused", "proved", "unproved", "deadline-set"),
  ...ignore(
    "deadline-refused",
    "start-refused",
    "started",
    "ended",
    "killing",
    "empty",
    "undead",
    "hook-done",
  ),
  ...ignore("drained", "stop", "marked", "unmarked", "volume-lost", "ready", "unready"),
};

/** What draining and post-stop do alike while they wait: the lock is renewed. */
function holding<S extends Draining | PostStop>() {
  const heard = (state: S, event: Parameters<typeof hear>[2], { rules, now_ns }: Context): Step => {
    const { tenure, effects } = hear(rules, state.tenure, event, now_ns);
    return next({ ...state, tenure }, effects, null);
  };
  return {
    tick(state: S, _: unknown, { now_ns }: Context): Step {
      const { tenure, effects } = renew(state.tenure, now_ns);
      return next({ ...state, tenure }, effects, null);
    },
    proved: heard,
    unproved: heard,
    "deadline-refused": heard,
    lost(state: S, event: { tenure: bigint; because: string }): Step {
      if (is_late(state, event) || !state.tenure.ours) return stay(state);
      const tenure = { ...state.tenure, ours: false, open: false };
      return next({ ...state, tenure }, [{ do: "kill", tenure: tenure.id, close: true }], event.because);
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
    ...ignore("start-refused", "started", "ended", "killing", "empty", "undead", "stop", "volume-lost"),
    ...ignore("ready", "unready"),
  };
}

/** Clean: all that the app wrote is flushed, before the lock could be another's, and nobody has to fence any more. */
function drained(
  after: After,
  flushed: boolean,
  effects: Effect[],
  context: Context,
  because: string | null,
): Step {
  const { tenure, ending } = after;
  const clean = flushed && is_provably_ours(tenure, context.now_ns);
  const lost = ending.why === "lease-lost" || ending.why === "volume-lost" ? ending.because : null;
  const { hooks } = context.rules;
  // Whoever asked for the stop waits for it, and a backup is only of use if what it reads is whole.
  const last = ending.why === "stop-requested" && clean && tenure.open && hooks.backup ? "backup" : null;
  const first = lost !== null && hooks.lost ? "lost" : last;
  if (first === null || after.end === null) return run_post_stop(after, clean, effects, context, because);
  const hook: Effect = {
    do: "hook",
    hook: first,
    tenure: tenure.id,
    previous: tenure.previous,
    same_boot: false,
    because: lost ?? "",
  };
  const { end } = after;
  const told = first === "backup" ? "backing up what the app left" : because;
  return next({ at: "post-stop", tenure, ending, end, clean, hook: first }, [...effects, hook], told);
}

/** It may touch the volume, so it runs only under a live tenure, and only after an app. */
function run_post_stop(
  after: After,
  clean: boolean,
  effects: Effect[],
  context: Context,
  because: string | null,
): Step {
  const { tenure, ending, end } = after;
  const runs =
    context.rules.hooks.post_stop && end !== null && tenure.open && is_provably_ours(tenure, context.now_ns);
  const state: PostStop = { at: "post-stop", tenure, ending, end, clean, hook: "post-stop" };
  if (!runs) return detach(state, effects, context, because);
  const { previous } = tenure;
  const hook: Effect = {
    do: "hook",
    hook: "post-stop",
    tenure: tenure.id,
    previous,
    same_boot: false,
    because: "",
  };
  return next(state, [...effects, hook], because);
}

/** Also when the lock is another's already: what is mounted here only gets more dangerous by staying. */
function detach(state: PostStop, effects: Effect[], context: Context, because: string | null): Step {
  const { tenure } = state;
  if (!tenure.attached) return release(state, effects, context, because);
  const { id, previous } = tenure;
  const hook: Effect = { do: "hook", hook: "detach", tenure: id, previous, same_boot: false, because: "" };
  return next({ ...state, hook: "detach" }, [...effects, hook], because ?? "detaching the volume");
}

function release(state: PostStop, effects: Effect[], context: Context, because: string | null): Step {
  const { tenure, ending, end, clean } = state;
  const most_ms = ending.why === "volume-lost" ? release_most_ms.volume_lost : release_most_ms.usual;
  const limit_ns = context.now_ns + ms_to_ns(most_ms);
  const lease_end_ns = end_of(tenure.proof);
  const until_ns = lease_end_ns < limit_ns ? lease_end_ns : limit_ns;
  const releasing: Releasing = {
    at: "releasing",
    tenure,
    ending,
    end,
    clean,
    failures: failures_after(tenure, ending, end, context.now_ns),
    until_ns,
    trouble: null,
    retry_at_ns: null,
  };
  if (!tenure.ours) return finish(releasing, context, because, effects);
  return next(releasing, [...effects, release_effect(releasing)], because);
}

function release_effect({ tenure, clean, failures }: Releasing): Effect {
  const state = !tenure.marked ? "as-found" : clean ? "clean" : "unclean";
  return { do: "release", tenure: tenure.id, state, failures };
}

/** The lock is given back, or left to its end. */
function finish(state: Releasing, context: Context, because: string | null, effects: Effect[] = []): Step {
  const { ending, end, tenure } = state;
  // An app that was never started has lost nothing: the next turn. After a loss that is the user's choice.
  const again =
    (ending.why === "lease-lost" && (end === null || context.rules.on_loss === "standby")) ||
    (ending.why === "volume-lost" && context.rules.on_loss === "standby");
  if (again)
    return next(contend(tenure.id, context), [...effects, { do: "take" }], because ?? "contending again");
  const { code, because: reason } = outcome(ending, end);
  const exit: Effect = { do: "exit", code, because: reason };
  return next({ at: "exited", code, because: reason }, [...effects, exit], because ?? reason);
}
