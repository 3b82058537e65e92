// The app is to end, or a hook that ran before it. The lock is kept, and renewed, until nothing of it is left.

import type { Effect, Step } from "./effect.ts";
import { after_app } from "./after.ts";
import { exit_codes, tell } from "./exit.ts";
import { type Context, type Handlers, ignore, is_late, next, stay } from "./handlers.ts";
import { restart } from "./restart.ts";
import type { Stopping } from "./state.ts";
import { hear, is_provably_ours, renew } from "./tenure.ts";

export const stopping: Handlers<Stopping> = {
  // The stop came first: nothing will be told to have ended, or to be empty.
  "start-refused"(state, event, context) {
    if (is_late(state, event) || state.awaited !== "app") return stay(state);
    const because = `the guard did not start the app (${event.status})`;
    return after_app({ ...state.tenure, open: false }, state.ending, null, [], context, because);
  },
  ended(state, event) {
    if (is_late(state, event) || state.end) return stay(state);
    return next({ ...state, end: event.end }, [], `the app ${tell(event.end)}`);
  },
  empty(state, event, context) {
    if (is_late(state, event) || state.awaited !== "app") return stay(state);
    const again = restart(state, context);
    if (again) return again;
    return after_app(
      state.tenure,
      state.ending,
      state.end,
      [],
      context,
      state.undead === null ? null : "nothing is left of it any more",
    );
  },
  "hook-done"(state, event, context) {
    if (is_late(state, event) || state.awaited !== "hook") return stay(state);
    if (event.alive) {
      const what = `a process of the ${event.hook} hook can't be killed`;
      return next({ ...state, undead: what }, [], what);
    }
    return after_app(state.tenure, state.ending, null, [], context, null);
  },
  killing(state, event) {
    if (is_late(state, event) || event.why === "order" || event.why === "main_ended") return stay(state);
    return next(
      { ...state, kill_at_ns: null, tenure: { ...state.tenure, open: false } },
      [],
      `the guard kills the app: ${event.why}`,
    );
  },
  undead(state, event) {
    if (is_late(state, event)) return stay(state);
    return next({ ...state, undead: event.what }, [], `${event.what}; the lock is kept`);
  },
  tick(state, _, context) {
    const { now_ns } = context;
    const over = state.kill_at_ns !== null && now_ns >= state.kill_at_ns;
    if (state.undead !== null && !is_provably_ours(state.tenure, now_ns)) return give_up(state);
    const { tenure, effects } = renew(state.tenure, now_ns);
    if (!over) return next({ ...state, tenure }, effects, null);
    const kill: Effect = { do: "kill", tenure: tenure.id, close: false };
    return next(
      { ...state, tenure, kill_at_ns: null },
      [...effects, kill],
      "the time to stop is over: killing the app",
    );
  },
  proved: (state, event, context) => heard(state, event, context),
  unproved: (state, event, context) => heard(state, event, context),
  "deadline-refused": (state, event, context) => heard(state, event, context),
  lost(state, event) {
    if (is_late(state, event) || !state.tenure.ours) return stay(state);
    const tenure = { ...state.tenure, ours: false, open: false };
    const kill: Effect = { do: "kill", tenure: tenure.id, close: true };
    return next({ ...state, tenure, kill_at_ns: null }, [kill], `${event.because}; killing the app`);
  },
  "volume-lost"(state, event) {
    if (is_late(state, event) || event.how === "stop" || !state.tenure.open) return stay(state);
    const tenure = { ...state.tenure, open: false };
    const kill: Effect = { do: "kill", tenure: tenure.id, close: true };
    return next(
      { ...state, tenure, kill_at_ns: null },
      [kill],
      `the volume is lost: ${event.because}; killing the app`,
    );
  },
  stop: (state) => stay(state), // it is stopping
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
  ...ignore("started", "drained", "ready", "unready"),
};

function heard(state: Stopping, event: Parameters<typeof hear>[2], { rules, now_ns }: Context): Step {
  const { tenure, effects } = hear(rules, state.tenure, event, now_ns);
  return next({ ...state, tenure }, effects, null);
}

/** What can't be killed kept the lock for as long as it could be renewed. Nothing is released. */
function give_up(state: Stopping): Step {
  const because = `${state.undead}, and the lock can't be kept any longer: fence this machine before the app is started elsewhere`;
  return next(
    { at: "exited", code: exit_codes.undead, because },
    [{ do: "exit", code: exit_codes.undead, because }],
    because,
  );
}
