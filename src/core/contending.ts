// The lock is another's, or nobody could say: wait, and try again.

import type { Effect, Step } from "./effect.ts";
import { exit_codes } from "./exit.ts";
import { type Handlers, ignore, next, stay } from "./handlers.ts";
import type { LockRecord } from "./record.ts";
import { after_app } from "./after.ts";
import type { Contending, Exited, Starting } from "./state.ts";
import { open_tenure } from "./tenure.ts";
import { contend } from "./turn.ts";
import { ms_to_ns } from "./time.ts";
import { check } from "./timing.ts";

const pause_ms = { first: 250, most: 2000 };
/** With --when-busy exit: so many attempts without an answer are one that failed. */
const attempts_at_exit = 3;

export const starting: Handlers<Starting> = {
  begin: (_, __, context) => next(contend(0n, context), [{ do: "take" }], null),
  stop: (_, event) => leave(event.signal, []),
  ...ignore("tick", "taken", "busy", "free", "unknown", "refused", "proved", "unproved", "lost", "released"),
  ...ignore(
    "unreleased",
    "marked",
    "unmarked",
    "deadline-set",
    "deadline-refused",
    "start-refused",
    "started",
    "ended",
    "killing",
  ),
  ...ignore("empty", "undead", "hook-done", "drained", "volume-lost", "ready", "unready"),
};

export const contending: Handlers<Contending> = {
  taken(state, event, context) {
    const { rules } = context;
    const id = state.last_id + 1n;
    const granted = { ...rules.timing, ttl_ms: Math.min(rules.timing.ttl_ms, event.proof.bound_ms) };
    const wrong = check(granted);
    const { tenure, effects } = open_tenure(rules, id, event);
    const closed = { ...tenure, open: false };
    if (state.quit !== null)
      return after_app(
        closed,
        { why: "stop-requested", signal: state.quit },
        null,
        [],
        context,
        "the lock came too late",
      );
    if (wrong.length > 0) {
      const because = `${wrong.join("; ")}; that length was granted, not asked for: lengthen it there, or shorten the parts`;
      return after_app(closed, { why: "refused", because }, null, [], context, because);
    }
    return next(
      { at: "preparing", tenure, step: "opening", mark_at_ns: null, rest: null },
      effects,
      took(event.token, event.previous),
    );
  },
  busy(state, event, { rules }) {
    if (state.quit !== null) return leave(state.quit, []);
    const who = event.holder ? describe(event.holder) : "somebody whose name is not known";
    if (rules.when_busy === "exit") return quit(exit_codes.busy, `the lock is held by ${who}`);
    const news = state.holder?.instance !== event.holder?.instance || state.failures > 0 || !state.holder;
    const waiting: Contending = {
      ...state,
      step: "waiting",
      failures: 0,
      trouble: null,
      holder: event.holder,
      retry_at_ns: null,
    };
    return next(waiting, [{ do: "wait" }], news ? `waiting: the lock is held by ${who}` : null);
  },
  free: (state) => (state.step === "waiting" ? again(state) : stay(state)),
  unknown(state, event, { rules, now_ns }) {
    if (state.quit !== null) return leave(state.quit, []);
    const failures = state.failures + 1;
    const { because, newer = false } = event;
    if (rules.when_busy === "exit" && (newer || failures >= attempts_at_exit))
      return quit(newer ? exit_codes.busy : exit_codes.unreachable, because);
    // A newer leasehold's lock is another's until somebody upgrades this one: nothing is to be gained by haste.
    const delay_ms = newer ? pause_ms.most : Math.min(pause_ms.first * 2 ** (failures - 1), pause_ms.most);
    const pausing: Contending = {
      ...state,
      step: "pausing",
      failures,
      trouble: { because, newer },
      retry_at_ns: now_ns + ms_to_ns(delay_ms),
    };
    // The first failure, then each doubling: an outage of a day is some lines, not thousands.
    const news = (failures & (failures - 1)) === 0;
    const again = newer ? "standing by until then" : `attempt ${failures}; trying again`;
    return next(pausing, [], news ? `${because} (${again})` : null);
  },
  refused: (state, event) =>
    state.quit === null ? quit(exit_codes.config, event.because) : leave(state.quit, []),
  tick(state, _, { now_ns }) {
    if (state.give_up_ns !== null && now_ns >= state.give_up_ns && state.step !== "taking") {
      const { trouble } = state;
      const held = trouble === null ? state.holder : null;
      const stop: Effect[] = state.step === "waiting" ? [{ do: "stop-waiting" }] : [];
      if (held)
        return quit(exit_codes.busy, `the wait is over: the lock is still held by ${describe(held)}`, stop);
      const code = trouble?.newer === true ? exit_codes.busy : exit_codes.unreachable;
      return quit(
        code,
        `the wait is over: ${trouble?.because ?? "the lock service could not be reached"}`,
        stop,
      );
    }
    if (state.retry_at_ns !== null && now_ns >= state.retry_at_ns) return again(state);
    return stay(state);
  },
  stop(state, event) {
    if (state.step === "taking")
      return next({ ...state, quit: event.signal }, [], "stopping: an answer is awaited");
    return leave(event.signal, state.step === "waiting" ? [{ do: "stop-waiting" }] : []);
  },
  ...ignore(
    "begin",
    "proved",
    "unproved",
    "lost",
    "released",
    "unreleased",
    "marked",
    "unmarked",
    "deadline-set",
    "deadline-refused",
  ),
  ...ignore("start-refused", "started", "ended", "killing", "empty", "undead", "hook-done", "drained"),
  ...ignore("volume-lost", "ready", "unready"),
};

function again(state: Contending): Step {
  return next({ ...state, step: "taking", retry_at_ns: null }, [{ do: "take" }], null);
}

function quit(code: number, because: string, effects: Effect[] = []): Step {
  const exited: Exited = { at: "exited", code, because };
  return next(exited, [...effects, { do: "exit", code, because }], because);
}

function leave(signal: number, effects: Effect[]): Step {
  return quit(128 + signal, `stopped by signal ${signal} before the app was started`, effects);
}

/** For the log: who holds it. */
function describe(record: LockRecord): string {
  const where = record.address === null ? "" : ` at ${record.address}`;
  return `${record.holder}${where} since ${record.since}`;
}

function took(token: bigint, previous: LockRecord | null): string {
  const token_text = `took the lock, token ${token}`;
  if (!previous) return `${token_text}; nobody had it before`;
  return `${token_text}; ${previous.holder} had it before, its end is ${previous.state === "running" ? "not known" : previous.state}`;
}
