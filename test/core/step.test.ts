// The core as a specification: what one contender does, event by event.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Effect } from "../../src/core/effect.ts";
import type { Event } from "../../src/core/event.ts";
import type { LockRecord } from "../../src/core/record.ts";
import type { Rules, State } from "../../src/core/state.ts";
import { step, wake_at } from "../../src/core/step.ts";
import { rules } from "./a-contender.ts";

const s = 1_000_000_000n;

const record: LockRecord = {
  format: 1,
  claim: "3",
  holder: "other",
  instance: "i",
  boot_id: "there",
  address: null,
  state: "clean",
  volume_id: null,
  ttl_ms: 30_000,
  since: "yesterday",
  failures: 0,
};

/** One contender, at a time of our choosing. */
function contender(changes: Partial<Rules> = {}) {
  const its = { ...rules, ...changes };
  let state: State = { at: "starting" };
  let now_ns = 0n;
  let last: string | null = null;
  return {
    get state() {
      return state;
    },
    get because() {
      return last;
    },
    wake: () => wake_at(its, state),
    at(time_ns: bigint) {
      now_ns = time_ns;
      return this;
    },
    tell(...events: Event[]): Effect[] {
      return events.flatMap((event) => {
        const taken = step(its, state, event, now_ns);
        state = taken.state;
        last = taken.because ?? last;
        return taken.effects;
      });
    },
  };
}
const names = (effects: Effect[]): string[] => effects.map((effect) => effect.do);
const taken = (t0_ns = 0n, previous: LockRecord | null = null): Event => ({
  type: "taken",
  token: 7n,
  lock_token: 7n,
  proof: { t0_ns, bound_ms: 30_000 },
  previous,
  previous_seen_ns: null,
});

function running(changes: Partial<Rules> = {}) {
  const one = contender(changes);
  one.tell(
    { type: "begin" },
    taken(),
    { type: "deadline-set", tenure: 1n },
    { type: "started", tenure: 1n, pid: 9 },
  );
  assert.equal(one.state.at, "running");
  return one;
}

test("it takes the lock, opens the tenure with the guard, and starts the app once the guard has the deadline", () => {
  const one = contender();
  assert.deepEqual(names(one.tell({ type: "begin" })), ["take"]);
  assert.deepEqual(one.tell(taken()), [
    { do: "deadline", tenure: 1n, deadline_ns: 30n * s - 30_000_000n - 1_500_000_000n },
  ]);
  assert.deepEqual(one.tell({ type: "deadline-set", tenure: 1n }), [
    { do: "start", tenure: 1n, token: 7n, lock_token: 7n },
  ]);
});

test("a lease longer than was asked for counts as long as was asked for: the guard takes no deadline beyond that", () => {
  const one = contender();
  one.tell({ type: "begin" });
  const generous: Event = { ...taken(), proof: { t0_ns: 0n, bound_ms: 60_000 } } as Event;
  const longest = { do: "deadline", tenure: 1n, deadline_ns: 30n * s - 30_000_000n - 1_500_000_000n };
  assert.deepEqual(one.tell(generous), [longest]);
});

test("the lock is another's: it waits, and tries again when it may be free", () => {
  const one = contender();
  one.tell({ type: "begin" });
  assert.deepEqual(names(one.tell({ type: "busy", holder: record })), ["wait"]);
  assert.match(one.because ?? "", /held by other since yesterday/);
  assert.deepEqual(names(one.tell({ type: "free" })), ["take"]);
});

test("--when-busy exit: 75; unreachable: 69 after three attempts; refused: 78", () => {
  const busy = contender({ when_busy: "exit" });
  assert.deepEqual(busy.tell({ type: "begin" }, { type: "busy", holder: record }).at(-1), {
    do: "exit",
    code: 75,
    because: "the lock is held by other since yesterday",
  });
  const unknown = contender({ when_busy: "exit" });
  unknown.tell({ type: "begin" });
  for (const time of [1n, 2n, 3n])
    unknown.at(time * s).tell({ type: "unknown", because: "no answer" }, { type: "tick" });
  assert.deepEqual(unknown.state, { at: "exited", code: 69, because: "no answer" });
  const refused = contender();
  refused.tell({ type: "begin" }, { type: "refused", because: "wrong password" });
  assert.deepEqual(refused.state, { at: "exited", code: 78, because: "wrong password" });
});

test("the wait is limited: 75 when the lock is another's, 69 when nobody answers", () => {
  const busy = contender({ wait_timeout_ms: 5000 });
  busy.tell({ type: "begin" }, { type: "busy", holder: record });
  assert.equal(busy.wake(), 5n * s);
  assert.deepEqual(names(busy.at(5n * s).tell({ type: "tick" })), ["stop-waiting", "exit"]);
  assert.equal(busy.state.at === "exited" && busy.state.code, 75);
  const silent = contender({ wait_timeout_ms: 5000 });
  silent.tell({ type: "begin" }, { type: "unknown", because: "no answer" });
  silent.at(5n * s).tell({ type: "tick" });
  assert.equal(silent.state.at === "exited" && silent.state.code, 69);
});

test("the last tenure didn't end clean: the fence hook comes first, and its failure is 83", () => {
  const hooks = { ...rules.hooks, fence: true };
  const one = contender({ hooks });
  one.tell({ type: "begin" }, taken(0n, { ...record, state: "running", boot_id: "here" }));
  const [fence] = one.tell({ type: "deadline-set", tenure: 1n });
  assert.ok(fence?.do === "hook" && fence.hook === "fence" && fence.same_boot);
  const effects = one.tell({
    type: "hook-done",
    tenure: 1n,
    hook: "fence",
    failure: "no answer",
    alive: false,
  });
  assert.deepEqual(effects, [
    { do: "kill", tenure: 1n, close: true },
    { do: "release", tenure: 1n, state: "as-found", failures: 0 },
  ]);
  one.tell({ type: "released", tenure: 1n });
  assert.equal(one.state.at === "exited" && one.state.code, 83);
});

test("nothing fences, and the last holder's end is not known: the rest of its lease is waited out", () => {
  const unknown: Event = {
    ...taken(0n, { ...record, state: "running", ttl_ms: 10_000 }),
    previous_seen_ns: -4n * s,
  } as Event;
  const one = contender();
  one.tell({ type: "begin" }, unknown);
  assert.deepEqual(one.tell({ type: "deadline-set", tenure: 1n }), []);
  assert.match(one.because ?? "", /other may not know that it has lost the lock: waiting 6 s/);
  assert.deepEqual(one.at(5n * s).tell({ type: "tick" }), [{ do: "prove", tenure: 1n }]);
  assert.equal(one.wake(), 6n * s);
  assert.deepEqual(names(one.at(6n * s).tell({ type: "tick" })), ["mark"]);
  assert.deepEqual(names(one.tell({ type: "marked", tenure: 1n })), ["start"]);
});

test("it is not waited for when the fence hook deals with it, or when its app is known to be dead", () => {
  const seen = { previous_seen_ns: 0n };
  const fencing = contender({ hooks: { ...rules.hooks, fence: true } });
  fencing.tell({ type: "begin" }, { ...taken(0n, { ...record, state: "running" }), ...seen });
  assert.deepEqual(names(fencing.tell({ type: "deadline-set", tenure: 1n })), ["hook"]);
  const unclean = contender();
  unclean.tell({ type: "begin" }, { ...taken(0n, { ...record, state: "unclean" }), ...seen });
  assert.deepEqual(names(unclean.tell({ type: "deadline-set", tenure: 1n })), ["mark"]);
  const own = contender();
  own.tell({ type: "begin" }, taken(0n, { ...record, state: "running" }));
  assert.deepEqual(names(own.tell({ type: "deadline-set", tenure: 1n })), ["mark"]);
});

test("the pre-start hook comes last before the app, and its failure is 84", () => {
  const one = contender({ hooks: { ...rules.hooks, pre_start: true } });
  one.tell({ type: "begin" }, taken());
  const [hook] = one.tell({ type: "deadline-set", tenure: 1n });
  assert.ok(hook?.do === "hook" && hook.hook === "pre-start");
  const failed = {
    type: "hook-done",
    tenure: 1n,
    hook: "pre-start",
    failure: "no disk",
    alive: false,
  } as const;
  assert.deepEqual(one.tell(failed), [
    { do: "kill", tenure: 1n, close: true },
    { do: "release", tenure: 1n, state: "clean", failures: 0 },
  ]);
  one.tell({ type: "released", tenure: 1n });
  assert.equal(one.state.at === "exited" && one.state.code, 84);
});

test("a clean end, or none before, needs no fence", () => {
  for (const previous of [null, record]) {
    const one = contender({ hooks: { ...rules.hooks, fence: true } });
    one.tell({ type: "begin" }, taken(0n, previous));
    assert.deepEqual(names(one.tell({ type: "deadline-set", tenure: 1n })), ["start"]);
  }
});

test("it renews, counting from before the question, and moves the guard's deadline with each proof", () => {
  const one = running();
  assert.equal(one.wake(), 3n * s);
  assert.deepEqual(names(one.at(3n * s).tell({ type: "tick" })), ["prove"]);
  assert.deepEqual(names(one.at(4n * s).tell({ type: "tick" })), [], "one question at a time");
  const [effect] = one.tell({ type: "proved", tenure: 1n, proof: { t0_ns: 3n * s, bound_ms: 30_000 } });
  assert.ok(effect?.do === "deadline");
  assert.equal(effect.deadline_ns, 33n * s - 30_000_000n - 1_500_000_000n);
});

test("no answer: it asks again; the stop signal at the soft deadline, and what the guard does is the rest", () => {
  const one = running();
  one.at(3n * s).tell({ type: "tick" }, { type: "unproved", tenure: 1n, because: "no answer" });
  assert.equal(one.wake(), 3_250_000_000n);
  assert.match(one.because ?? "", /the lease holds for another 20.47 s/);
  const soft_ns = 23_470_000_000n;
  assert.deepEqual(one.at(soft_ns).tell({ type: "tick" }), [{ do: "signal", tenure: 1n, signal: 15 }]);
  assert.match(one.because ?? "", /23.47 s ago, of 30 s; no answer; the app has 5 s/);
  one.at(29n * s).tell({ type: "killing", tenure: 1n, why: "deadline" });
  one.tell({ type: "ended", tenure: 1n, end: { how: "signal", value: 9 } });
  assert.deepEqual(one.tell({ type: "empty", tenure: 1n }), [
    { do: "release", tenure: 1n, state: "clean", failures: 0 },
  ]);
  one.tell({ type: "released", tenure: 1n });
  assert.equal(one.state.at === "exited" && one.state.code, 80);
});

test("certainly lost: killed at once, nothing is released; 80, or the next turn", () => {
  for (const on_loss of ["exit", "standby"] as const) {
    const one = running({ on_loss });
    assert.deepEqual(one.tell({ type: "lost", tenure: 1n, because: "the key is gone" }), [
      { do: "kill", tenure: 1n, close: true },
    ]);
    one.tell({ type: "ended", tenure: 1n, end: { how: "signal", value: 9 } });
    const effects = names(one.tell({ type: "empty", tenure: 1n }));
    assert.deepEqual(effects, on_loss === "exit" ? ["exit"] : ["take"]);
  }
});

test("a late answer, of an earlier tenure, changes nothing", () => {
  const one = running({ on_loss: "standby" });
  one.tell({ type: "lost", tenure: 1n, because: "gone" }, { type: "empty", tenure: 1n }, taken(50n * s));
  one.tell({ type: "deadline-set", tenure: 2n });
  const before = one.state;
  one.tell({ type: "proved", tenure: 1n, proof: { t0_ns: 90n * s, bound_ms: 30_000 } });
  one.tell({ type: "lost", tenure: 1n, because: "gone" }, { type: "empty", tenure: 1n });
  one.tell({ type: "killing", tenure: 1n, why: "deadline" });
  assert.deepEqual(one.state, before);
});

test("a requested stop: the stop signal, SIGKILL after the timeout, and the app's own code", () => {
  const one = running();
  assert.deepEqual(one.at(1n * s).tell({ type: "stop", signal: 15 }), [
    { do: "signal", tenure: 1n, signal: 15 },
  ]);
  one.at(3n * s).tell({ type: "tick" });
  one.tell({ type: "proved", tenure: 1n, proof: { t0_ns: 20n * s, bound_ms: 30_000 } });
  assert.deepEqual(names(one.at(21n * s).tell({ type: "tick" })), ["kill"]);
  one.tell({ type: "ended", tenure: 1n, end: { how: "exit", value: 3 } }, { type: "empty", tenure: 1n });
  one.tell({ type: "released", tenure: 1n });
  assert.equal(one.state.at === "exited" && one.state.code, 3);
});

test("a stop while the lock is being taken: the answer is waited for, and a lock that came is given back", () => {
  const one = contender();
  one.tell({ type: "begin" });
  assert.deepEqual(one.tell({ type: "stop", signal: 15 }), []);
  assert.deepEqual(names(one.tell(taken())), ["release"]);
  one.tell({ type: "released", tenure: 1n });
  assert.equal(one.state.at === "exited" && one.state.code, 143);
});

test("undead keeps the lock as long as it can be renewed; then 86, and nothing is released", () => {
  const one = running();
  one.tell({ type: "stop", signal: 15 }, { type: "undead", tenure: 1n, what: "process 9 can't be killed" });
  one.at(10n * s).tell({ type: "tick" });
  one.tell({ type: "proved", tenure: 1n, proof: { t0_ns: 10n * s, bound_ms: 30_000 } });
  one.at(39n * s).tell({ type: "tick" });
  assert.deepEqual(names(one.at(39n * s).tell({ type: "tick" })), [], "still stopping");
  assert.deepEqual(names(one.at(40n * s).tell({ type: "tick" })), ["exit"]);
  assert.equal(one.state.at === "exited" && one.state.code, 86);
});

test("a release without an answer is tried again until the lease has ended by itself", () => {
  const one = running();
  one.tell({ type: "ended", tenure: 1n, end: { how: "exit", value: 0 } }, { type: "empty", tenure: 1n });
  one.tell({ type: "unreleased", tenure: 1n, because: "no answer" });
  assert.deepEqual(names(one.at(1n * s).tell({ type: "tick" })), ["release"]);
  const told = one.because;
  one.tell({ type: "unreleased", tenure: 1n, because: "no answer" });
  assert.equal(one.because, told, "the same reason is told once");
  one.at(2n * s).tell({ type: "tick" });
  one.at(10n * s).tell({ type: "unreleased", tenure: 1n, because: "no answer" });
  assert.equal(one.state.at === "exited" && one.state.code, 0);
});

test("a granted lease that is too short for its parts is given back, with the numbers; 78", () => {
  const one = contender();
  const short: Event = { ...taken(), proof: { t0_ns: 0n, bound_ms: 8000 } } as Event;
  assert.deepEqual(names(one.tell({ type: "begin" }, short)), ["take", "release"]);
  one.tell({ type: "released", tenure: 1n });
  assert.ok(one.state.at === "exited" && one.state.code === 78);
  assert.match(one.state.because, /a lease of 8 s is too short: loss grace 5 s/);
});

// ---- the volume ----

const volume_hooks = { ...rules.hooks, attach: true, verify: true, pre_start: true };
const done = (
  hook: "attach" | "verify" | "restore" | "data" | "pre-start" | "detach",
  failure: string | null = null,
): Event => ({
  type: "hook-done",
  tenure: 1n,
  hook,
  failure,
  alive: false,
});
const hooks_of = (effects: Effect[]): string[] =>
  effects.map((effect) => (effect.do === "hook" ? effect.hook : effect.do));

test("the volume is attached, then checked, then pre-start runs, then the app starts", () => {
  const one = contender({ hooks: volume_hooks });
  one.tell({ type: "begin" }, taken());
  assert.deepEqual(hooks_of(one.tell({ type: "deadline-set", tenure: 1n })), ["attach"]);
  assert.deepEqual(hooks_of(one.tell(done("attach"))), ["verify"]);
  assert.deepEqual(hooks_of(one.tell(done("verify"))), ["pre-start"]);
  assert.deepEqual(hooks_of(one.tell(done("pre-start"))), ["start"]);
});

test("the data is restored after the volume's checks and before pre-start; it fails: 82, and what it wrote is flushed", () => {
  const one = contender({ hooks: { ...volume_hooks, restore: true }, drains: true });
  one.tell({ type: "begin" }, taken(), { type: "deadline-set", tenure: 1n }, done("attach"));
  assert.deepEqual(hooks_of(one.tell(done("verify"))), ["restore"]);
  assert.deepEqual(hooks_of(one.tell(done("restore"))), ["pre-start"]);
  const two = contender({ hooks: { ...volume_hooks, restore: true }, drains: true });
  two.tell({ type: "begin" }, taken(), { type: "deadline-set", tenure: 1n }, done("attach"), done("verify"));
  assert.deepEqual(hooks_of(two.tell(done("restore", "there is no backup"))), ["kill", "drain"]);
  assert.deepEqual(hooks_of(two.tell({ type: "drained", tenure: 1n, failure: null })), ["detach"]);
  two.tell(done("detach"), { type: "released", tenure: 1n });
  const because = "the data could not be restored: there is no backup";
  assert.deepEqual(two.state, { at: "exited", code: 82, because });
});

test("a restore that runs when the lock is lost is killed, and waited for", () => {
  const one = contender({ hooks: { ...rules.hooks, restore: true } });
  one.tell({ type: "begin" }, taken());
  assert.deepEqual(hooks_of(one.tell({ type: "deadline-set", tenure: 1n })), ["restore"]);
  assert.deepEqual(one.tell({ type: "lost", tenure: 1n, because: "the key is gone" }), [
    { do: "kill", tenure: 1n, close: true },
  ]);
  one.tell(done("restore", "it was killed"));
  assert.equal(one.state.at, "contending", "no app was started, so it is the next turn");
});

test("a volume that fails its checks: the app isn't started, what was attached is detached, 74", () => {
  const one = contender({ hooks: volume_hooks, drains: true });
  one.tell({ type: "begin" }, taken(), { type: "deadline-set", tenure: 1n }, done("attach"));
  assert.deepEqual(hooks_of(one.tell(done("verify", "it is another volume"))), ["kill", "detach"]);
  assert.deepEqual(one.tell(done("detach")), [{ do: "release", tenure: 1n, state: "clean", failures: 0 }]);
  one.tell({ type: "released", tenure: 1n });
  assert.deepEqual(one.state, {
    at: "exited",
    code: 74,
    because: "the volume failed its checks: it is another volume",
  });
});

test("the app is dead: drain, post-stop, detach, and only then the release", () => {
  const one = running({ hooks: { ...rules.hooks, post_stop: true }, drains: true });
  assert.equal(one.state.at === "running" && one.state.tenure.attached, false);
  const two = contender({ hooks: { ...volume_hooks, pre_start: false, post_stop: true }, drains: true });
  two.tell({ type: "begin" }, taken(), { type: "deadline-set", tenure: 1n }, done("attach"), done("verify"));
  two.tell({ type: "started", tenure: 1n, pid: 9 }, { type: "stop", signal: 15 });
  two.tell({ type: "ended", tenure: 1n, end: { how: "exit", value: 0 } });
  assert.deepEqual(names(two.tell({ type: "empty", tenure: 1n })), ["drain"]);
  assert.deepEqual(hooks_of(two.tell({ type: "drained", tenure: 1n, failure: null })), ["post-stop"]);
  const post_stop = {
    type: "hook-done",
    tenure: 1n,
    hook: "post-stop",
    failure: null,
    alive: false,
  } as const;
  assert.deepEqual(hooks_of(two.tell(post_stop)), ["detach"]);
  assert.deepEqual(two.tell(done("detach")), [{ do: "release", tenure: 1n, state: "clean", failures: 0 }]);
});

test("a last backup after a requested stop, before post-stop, when what it reads is whole; its failure changes nothing", () => {
  const backed_up = (failure: string | null): Event => ({
    ...{ type: "hook-done", tenure: 1n, hook: "backup", failure, alive: false },
  });
  const ended = { type: "ended", tenure: 1n, end: { how: "exit", value: 0 } } as const;
  const hooks = { ...rules.hooks, backup: true, post_stop: true };
  const one = running({ hooks, drains: true });
  one.tell({ type: "stop", signal: 15 }, ended, { type: "empty", tenure: 1n });
  assert.deepEqual(hooks_of(one.tell({ type: "drained", tenure: 1n, failure: null })), ["backup"]);
  assert.deepEqual(hooks_of(one.tell(backed_up("the store is full"))), ["post-stop"]);
  assert.equal(one.because, "the backup after the stop failed: the store is full");
  const bare = running({ hooks: { ...hooks, post_stop: false } });
  bare.tell({ type: "stop", signal: 15 }, ended, { type: "empty", tenure: 1n });
  assert.deepEqual(bare.tell(backed_up("the store is full")), [
    { do: "release", tenure: 1n, state: "clean", failures: 0 },
  ]);
  bare.tell({ type: "released", tenure: 1n });
  assert.equal(bare.state.at === "exited" && bare.state.code, 0);
  // Not after an end that nobody asked for, a loss, or what could not be flushed.
  const by_itself = running({ hooks });
  by_itself.tell(ended);
  assert.deepEqual(hooks_of(by_itself.tell({ type: "empty", tenure: 1n })), ["post-stop"]);
  const unflushed = running({ hooks, drains: true });
  unflushed.tell({ type: "stop", signal: 15 }, ended, { type: "empty", tenure: 1n });
  assert.deepEqual(hooks_of(unflushed.tell({ type: "drained", tenure: 1n, failure: "EIO" })), ["post-stop"]);
  const lost = running({ hooks });
  lost.tell({ type: "lost", tenure: 1n, because: "gone" }, ended);
  assert.deepEqual(names(lost.tell({ type: "empty", tenure: 1n })), ["exit"]);
});

test("what can't be detached, or flushed, makes the end unclean", () => {
  const one = contender({ hooks: { ...volume_hooks, pre_start: false }, drains: true });
  one.tell({ type: "begin" }, taken(), { type: "deadline-set", tenure: 1n }, done("attach"), done("verify"));
  one.tell({ type: "started", tenure: 1n, pid: 9 });
  one.tell({ type: "ended", tenure: 1n, end: { how: "exit", value: 0 } }, { type: "empty", tenure: 1n });
  one.tell({ type: "drained", tenure: 1n, failure: null });
  const effects = one.tell(done("detach", "the device is busy"));
  assert.deepEqual(effects, [{ do: "release", tenure: 1n, state: "unclean", failures: 0 }]);
  one.tell({ type: "released", tenure: 1n });
  assert.equal(one.state.at === "exited" && one.state.code, 84);
  const two = running({ drains: true });
  two.tell({ type: "ended", tenure: 1n, end: { how: "exit", value: 0 } }, { type: "empty", tenure: 1n });
  const late = two.tell({ type: "drained", tenure: 1n, failure: "it hung" });
  assert.deepEqual(late, [{ do: "release", tenure: 1n, state: "unclean", failures: 0 }]);
});

test("also a lock that is another's already is no reason to leave the volume attached", () => {
  const one = contender({ hooks: { ...volume_hooks, pre_start: false } });
  one.tell({ type: "begin" }, taken(), { type: "deadline-set", tenure: 1n }, done("attach"), done("verify"));
  one.tell({ type: "started", tenure: 1n, pid: 9 }, { type: "lost", tenure: 1n, because: "the key is gone" });
  one.tell({ type: "ended", tenure: 1n, end: { how: "signal", value: 9 } });
  assert.deepEqual(hooks_of(one.tell({ type: "empty", tenure: 1n })), ["detach"]);
  assert.deepEqual(names(one.tell(done("detach"))), ["exit"]);
});

test("a volume that is lost takes no release either: a second later it ends", () => {
  const one = running();
  const unreleased: Event = { type: "unreleased", tenure: 1n, because: "no answer" };
  one.tell(
    { type: "volume-lost", tenure: 1n, because: "it is gone", how: "kill" },
    { type: "empty", tenure: 1n },
  );
  one.at(900n * (s / 1000n)).tell(unreleased);
  const still: string = one.state.at;
  assert.equal(still, "releasing");
  one.at(1n * s).tell(unreleased);
  assert.equal(one.state.at === "exited" && one.state.code, 81);
});

test("the word that a hook is done comes when the lease has run out: nothing is waited for, and the lock is given back", () => {
  for (const hook of ["attach", "verify", "pre-start"] as const) {
    const hooks = { ...rules.hooks, [hook.replace("-", "_")]: true };
    const one = contender({ hooks });
    one.tell({ type: "begin" }, taken(), { type: "deadline-set", tenure: 1n });
    const effects = one.at(31n * s).tell(done(hook));
    assert.deepEqual(hooks_of(effects), hook === "attach" ? ["kill", "detach"] : ["kill", "release"]);
  }
});

test("a stop comes while the start is under way, and the guard refuses that: nothing has to end", () => {
  const one = contender();
  one.tell({ type: "begin" }, taken());
  assert.deepEqual(names(one.tell({ type: "deadline-set", tenure: 1n })), ["start"]);
  one.tell({ type: "stop", signal: 15 });
  assert.deepEqual(names(one.tell({ type: "start-refused", tenure: 1n, status: "late" })), ["release"]);
  one.tell({ type: "released", tenure: 1n });
  assert.equal(one.state.at === "exited" && one.state.code, 143);
});

test("the volume is gone: killed at once, flushed within the drain's time, released; 81", () => {
  const timing = { ...rules.timing, drain_ms: 1000 };
  const one = running({ drains: true, timing });
  one.at(5n * s);
  const lost = { type: "volume-lost", tenure: 1n, because: "nothing is mounted there", how: "kill" } as const;
  assert.deepEqual(one.tell(lost), [{ do: "kill", tenure: 1n, close: true }]);
  const drain = one.tell({ type: "empty", tenure: 1n });
  assert.deepEqual(drain, [{ do: "drain", tenure: 1n, until_ns: 6n * s }]);
  one.tell({ type: "drained", tenure: 1n, failure: null }, { type: "released", tenure: 1n });
  assert.deepEqual(one.state, {
    at: "exited",
    code: 81,
    because: "the volume was lost: nothing is mounted there",
  });
});

test("the volume became read-only; the app is stopped gracefully, and killed when it is gone as well", () => {
  const one = running();
  const lost = { type: "volume-lost", tenure: 1n, because: "it is read-only", how: "stop" } as const;
  assert.deepEqual(one.tell(lost), [{ do: "signal", tenure: 1n, signal: 15 }]);
  assert.deepEqual(one.tell(lost), [], "it is stopping");
  const gone = { ...lost, because: "it is gone", how: "kill" } as const;
  assert.deepEqual(one.tell(gone), [{ do: "kill", tenure: 1n, close: true }]);
  assert.deepEqual(one.tell(gone), []);
});

test("something of a hook before the app can't be killed: the lock is kept as long as it can be, then 86", () => {
  const one = contender({ hooks: volume_hooks });
  one.tell({ type: "begin" }, taken(), { type: "deadline-set", tenure: 1n });
  const undead = { ...done("attach"), alive: true } as Event;
  assert.deepEqual(names(one.tell(undead)), ["kill"]);
  assert.match(one.because ?? "", /can't be killed; the lock is kept/);
  assert.deepEqual(names(one.at(3n * s).tell({ type: "tick" })), ["prove"]);
  assert.deepEqual(names(one.at(30n * s).tell({ type: "tick" })), ["exit"]);
  assert.equal(one.state.at === "exited" && one.state.code, 86);
});

// ---- readiness ----

const check = { ready_timeout_ms: 60_000 };
const unready = (because: string): Event => ({ type: "unready", tenure: 1n, because });
const is_ready: Event = { type: "ready", tenure: 1n };
const readiness = ({ state }: { state: State }) => (state.at === "running" ? state.unready : state.at);

test("without a readiness check the app is ready when it runs, and nobody asks it", () => {
  const one = contender();
  const effects = one.tell({ type: "begin" }, taken(), { type: "deadline-set", tenure: 1n });
  assert.equal(readiness(one), "it is being started");
  assert.deepEqual(one.tell({ type: "started", tenure: 1n, pid: 9 }), []);
  assert.equal(readiness(one), null);
  assert.deepEqual(names(effects), ["take", "deadline", "start"]);
});

test("with one it is ready when it says so; each change is a sentence, each repetition none", () => {
  const one = contender(check);
  one.tell({ type: "begin" }, taken(), { type: "deadline-set", tenure: 1n });
  one.tell(is_ready); // it can't be: it doesn't run
  assert.equal(readiness(one), "it is being started");
  const watch = one.tell({ type: "started", tenure: 1n, pid: 9 });
  assert.deepEqual(watch, [{ do: "watch-ready", tenure: 1n }]);
  one.tell(unready("ECONNREFUSED"), { ...is_ready, tenure: 0n });
  assert.equal(readiness(one), "ECONNREFUSED");
  assert.equal(one.because, "the app runs, process 9");
  one.tell(is_ready);
  assert.deepEqual([readiness(one), one.because], [null, "the app is ready"]);
  one.tell(unready("no answer"));
  assert.equal(one.because, "the app is not ready: no answer");
  one.tell(unready("ECONNREFUSED"));
  assert.equal(one.because, "the app is not ready: no answer");
  one.tell(is_ready, is_ready);
  assert.equal(one.because, "the app is ready again");
});

test("never ready in time: stopped gracefully, released, 85; and once it was ready there is no limit", () => {
  const one = running(check);
  one.tell(unready("the database system is starting up"));
  for (let at = 1n; at < 60n; at += 5n) {
    one.at(at * s).tell({ type: "tick" });
    one.tell({ type: "proved", tenure: 1n, proof: { t0_ns: at * s, bound_ms: 30_000 } });
  }
  assert.equal(one.state.at, "running");
  assert.ok((one.wake() ?? 0n) <= 60n * s);
  const effects = one.at(60n * s).tell({ type: "tick" });
  assert.deepEqual(names(effects).toSorted(), ["prove", "signal"]);
  one.tell({ type: "ended", tenure: 1n, end: { how: "exit", value: 0 } }, { type: "empty", tenure: 1n });
  one.tell({ type: "released", tenure: 1n });
  const because = "the app was not ready within 60 s: the database system is starting up";
  assert.deepEqual(one.state, { at: "exited", code: 85, because });

  const two = running(check);
  two.tell(is_ready, unready("no answer"));
  two.tell({ type: "proved", tenure: 1n, proof: { t0_ns: 59n * s, bound_ms: 30_000 } });
  two.at(61n * s).tell({ type: "tick" });
  assert.equal(two.state.at, "running");
});

// ---- restarts in place ----

const ended = (value: number, how: "exit" | "signal" = "exit"): Event[] => [
  { type: "ended", tenure: 1n, end: { how, value } },
  { type: "empty", tenure: 1n },
];
const started: Event = { type: "started", tenure: 1n, pid: 9 };

test("an app that fails is started again in the same tenure, after growing pauses, so often and no more", () => {
  const one = running({ restarts_max: 2 });
  assert.deepEqual(one.at(1n * s).tell(...ended(1)), []);
  assert.equal(one.because, "the app is started again in 1 s, restart 1 of 2");
  assert.equal(one.wake(), 2n * s);
  assert.deepEqual(names(one.at(2n * s).tell({ type: "tick" })), ["start"]);
  one.at(3n * s).tell(started, ...ended(9, "signal"));
  assert.equal(one.because, "the app is started again in 2 s, restart 2 of 2");
  assert.deepEqual(names(one.at(5n * s).tell({ type: "tick" })), ["prove", "start"]);
  const last = one.at(6n * s).tell(started, ...ended(4));
  assert.deepEqual(last, [{ do: "release", tenure: 1n, state: "clean", failures: 1 }]);
  one.tell({ type: "released", tenure: 1n });
  assert.equal(one.state.at === "exited" && one.state.code, 4);
});

test("no restart: of an app that ended well or can't be executed, before its tree is empty, of a lock that is lost", () => {
  for (const end of [
    { how: "exit", value: 0 },
    { how: "not_executed", value: 2 },
  ] as const) {
    const one = running({ restarts_max: Infinity });
    const effects = one.tell({ type: "ended", tenure: 1n, end }, { type: "empty", tenure: 1n });
    assert.deepEqual(names(effects), ["release"]);
  }
  const one = running({ restarts_max: Infinity });
  const [end, empty] = ended(1);
  assert.ok(end && empty);
  one.tell(end);
  one.at(10n * s).tell({ type: "tick" });
  assert.equal(one.state.at, "stopping");
  one.tell({ type: "lost", tenure: 1n, because: "the key is gone" }, empty);
  assert.equal(one.state.at, "exited");
  const stopped = running({ restarts_max: Infinity });
  stopped.tell({ type: "stop", signal: 15 }, ...ended(1));
  assert.equal(stopped.state.at, "releasing");
});

test("stopped or lost while it rests: nothing is started, the app's end is the code, and the hooks after it run", () => {
  const one = running({ restarts_max: 5, hooks: { ...rules.hooks, post_stop: true } });
  one.tell(...ended(3));
  const effects = one.tell({ type: "stop", signal: 15 });
  assert.deepEqual(names(effects), ["hook"]);
  const hook = { type: "hook-done", hook: "post-stop", tenure: 1n, failure: null, alive: false } as const;
  one.tell(hook, { type: "released", tenure: 1n });
  assert.equal(one.state.at === "exited" && one.state.code, 3);
  const two = running({ restarts_max: 5 });
  two.tell(...ended(3));
  assert.deepEqual(names(two.at(29n * s).tell({ type: "tick" })), ["release"]);
});

test("before each start the data is looked at and pre-start runs again; nothing is restored again", () => {
  const hooks = { ...rules.hooks, verify: true, restore: true, data: true, pre_start: true };
  const one = contender({ restarts_max: 1, hooks });
  one.tell({ type: "begin" }, taken(), { type: "deadline-set", tenure: 1n }, done("verify"), done("restore"));
  one.tell(done("data"), done("pre-start"), started, ...ended(1));
  assert.deepEqual(hooks_of(one.at(1n * s).tell({ type: "tick" })), ["data"]);
  assert.deepEqual(hooks_of(one.tell(done("data"))), ["pre-start"]);
  assert.deepEqual(names(one.tell(done("pre-start"))), ["start"]);
});

test("an app that ran for a minute is counted anew", () => {
  const one = running({ restarts_max: 1 });
  one.tell(...ended(1));
  one.at(1n * s).tell({ type: "tick" }, started);
  for (let at = 3n; at < 63n; at += 3n) {
    one.at(at * s).tell({ type: "tick" });
    one.tell({ type: "proved", tenure: 1n, proof: { t0_ns: at * s, bound_ms: 30_000 } });
  }
  one.at(63n * s).tell(...ended(1));
  assert.equal(one.because, "the app is started again in 1 s, restart 1 of 1");
});

// ---- an app that fails wherever it is started ----

const failed_before = (failures: number): LockRecord => ({ ...record, failures });

test("an app that has failed twice in a row, wherever that was, is started after growing pauses, under the lock", () => {
  for (const [failures, wait_s] of [
    [1, 0n],
    [2, 1n],
    [3, 2n],
    [6, 16n],
    [7, 30n],
    [9000, 30n],
  ] as const) {
    const one = contender({});
    const effects = one.tell({ type: "begin" }, taken(0n, failed_before(failures)), {
      type: "deadline-set",
      tenure: 1n,
    });
    if (wait_s === 0n) assert.equal(names(effects).at(-1), "start");
    else {
      assert.equal(one.state.at === "preparing" && one.state.step, "resting");
      assert.ok(!names(effects).includes("start"));
      assert.match(
        one.because ?? "",
        new RegExp(
          `^the app has failed ${failures} times in a row, the last time on other: .* in ${wait_s} s$`,
        ),
      );
    }
  }
  const two = contender();
  two.tell({ type: "begin" }, taken(0n, failed_before(3)), { type: "deadline-set", tenure: 1n });
  assert.equal(two.wake(), 2n * s);
  assert.deepEqual(names(two.at(2n * s).tell({ type: "tick" })), ["start"]);
});

test("the pause comes after the restore and before the data's checks and pre-start, once", () => {
  const hooks = { ...rules.hooks, verify: true, restore: true, data: true, pre_start: true };
  const one = contender({ hooks });
  one.tell(
    { type: "begin" },
    taken(0n, failed_before(2)),
    { type: "deadline-set", tenure: 1n },
    done("verify"),
  );
  assert.deepEqual(one.tell(done("restore")), []);
  assert.deepEqual(hooks_of(one.at(1n * s).tell({ type: "tick" })), ["data"]);
  assert.deepEqual(hooks_of(one.tell(done("data"))), ["pre-start"]);
  assert.deepEqual(names(one.tell(done("pre-start"))), ["start"]);
});

test("stopped or lost in that pause: nothing was started, and the record counts on", () => {
  const one = contender();
  one.tell({ type: "begin" }, taken(0n, failed_before(4)), { type: "deadline-set", tenure: 1n });
  const effects = one.tell({ type: "stop", signal: 15 });
  assert.deepEqual(names(effects), ["kill", "release"]);
  assert.deepEqual(effects.at(-1), { do: "release", tenure: 1n, state: "clean", failures: 4 });
  one.tell({ type: "released", tenure: 1n });
  assert.equal(one.state.at === "exited" && one.state.code, 143);
  const two = contender();
  two.tell({ type: "begin" }, taken(0n, failed_before(7)), { type: "deadline-set", tenure: 1n });
  assert.deepEqual(names(two.at(29n * s).tell({ type: "tick" })), ["kill", "release"]);
});

test("counted: an app that fails or never gets ready; anew: one that ran for a minute, was asked to stop, or ended well", () => {
  const failures_of = (before: number, events: Event[], changes: Partial<Rules> = {}): number | undefined => {
    const one = contender(changes);
    one.tell({ type: "begin" }, taken(0n, failed_before(before)), { type: "deadline-set", tenure: 1n });
    if (before > 1) one.at(1n * s).tell({ type: "tick" });
    const release = one.tell(started, ...events).find((effect) => effect.do === "release");
    return release?.failures;
  };
  assert.equal(failures_of(0, ended(1)), 1);
  assert.equal(failures_of(2, ended(9, "signal")), 3);
  assert.equal(failures_of(2, ended(0)), 0);
  assert.equal(failures_of(2, [{ type: "stop", signal: 15 }, ...ended(1)]), 0);
  assert.equal(
    failures_of(2, [
      { type: "volume-lost", tenure: 1n, because: "gone", how: "kill" },
      ...ended(9, "signal"),
    ]),
    0,
  );
  const not_found: Event = { type: "ended", tenure: 1n, end: { how: "not_executed", value: 2 } };
  assert.equal(failures_of(2, [not_found, { type: "empty", tenure: 1n }]), 3);

  const never_ready = running({ ready_timeout_ms: 5000 });
  never_ready.at(5n * s).tell({ type: "tick" });
  assert.deepEqual(never_ready.tell(...ended(0)), [
    { do: "release", tenure: 1n, state: "clean", failures: 1 },
  ]);

  const long = running();
  for (let at = 3n; at < 63n; at += 3n) {
    long.at(at * s).tell({ type: "tick" });
    long.tell({ type: "proved", tenure: 1n, proof: { t0_ns: at * s, bound_ms: 30_000 } });
  }
  assert.deepEqual(long.at(63n * s).tell(...ended(1)), [
    { do: "release", tenure: 1n, state: "clean", failures: 1 },
  ]);
});

// ---- whatever comes, in whatever order ----

const tenure = fc.bigInt(0n, 3n);
const why = fc.constantFrom("deadline", "order", "main_ended", "inner_died");
const proof = fc.record({ t0_ns: fc.bigInt(0n, 100n * s), bound_ms: fc.constantFrom(2000, 30_000, 60_000) });
const failure = fc.option(fc.constant("it failed"));
const end = fc.record({
  how: fc.constantFrom("exit", "signal", "not_executed", "not_forked"),
  value: fc.integer({ min: 0, max: 255 }),
});
const event = fc.oneof(
  ...["begin", "tick", "tick", "tick", "free"].map((type) => fc.constant({ type })),
  fc.record({
    type: fc.constant("taken"),
    token: fc.bigInt(1n, 99n),
    lock_token: fc.bigInt(1n, 99n),
    proof,
    previous: fc.option(fc.constant({ ...record, state: "running" })),
    previous_seen_ns: fc.option(fc.bigInt(-40n * s, 40n * s)),
  }),
  fc.record({ type: fc.constant("busy"), holder: fc.option(fc.constant(record)) }),
  ...["unknown", "refused"].map((type) => fc.constant({ type, because: "because" })),
  fc.record({ type: fc.constant("proved"), tenure, proof }),
  fc.record({
    type: fc.constantFrom("unproved", "lost", "unreleased"),
    tenure,
    because: fc.constant("because"),
  }),
  fc.record({ type: fc.constantFrom("released", "deadline-set", "empty"), tenure }),
  fc.record({
    type: fc.constantFrom("deadline-refused", "start-refused"),
    tenure,
    status: fc.constantFrom("late", "past"),
  }),
  fc.record({ type: fc.constant("started"), tenure, pid: fc.constant(1) }),
  fc.record({ type: fc.constant("ended"), tenure, end }),
  fc.record({ type: fc.constant("killing"), tenure, why }),
  fc.record({ type: fc.constant("undead"), tenure, what: fc.constant("undead") }),
  fc.record({
    type: fc.constant("hook-done"),
    tenure,
    hook: fc.constantFrom(
      "fence",
      "attach",
      "verify",
      "restore",
      "data",
      "pre-start",
      "backup",
      "post-stop",
      "detach",
      "lost",
    ),
    failure,
    alive: fc.boolean(),
  }),
  fc.record({ type: fc.constant("drained"), tenure, failure }),
  fc.record({
    type: fc.constant("volume-lost"),
    tenure,
    because: fc.constant("because"),
    how: fc.constantFrom("kill", "stop"),
  }),
  fc.record({ type: fc.constant("ready"), tenure }),
  fc.record({ type: fc.constant("unready"), tenure, because: fc.constant("because") }),
  fc.record({ type: fc.constant("stop"), signal: fc.constantFrom(2, 15) }),
) as fc.Arbitrary<Event>;
const some_rules = fc.record({
  hooks: fc.record({
    fence: fc.boolean(),
    attach: fc.boolean(),
    verify: fc.boolean(),
    restore: fc.boolean(),
    data: fc.boolean(),
    pre_start: fc.boolean(),
    backup: fc.boolean(),
    post_stop: fc.boolean(),
    lost: fc.boolean(),
  }),
  drains: fc.boolean(),
  ready_timeout_ms: fc.constantFrom(null, 10_000),
  restarts_max: fc.constantFrom(0, 2, Infinity),
  on_loss: fc.constantFrom("exit" as const, "standby" as const),
});

test("every event has an answer in every state, no invariant breaks, and an exit is for good", () => {
  const walk = fc.array(fc.tuple(event, fc.integer({ min: 0, max: 5000 })), { maxLength: 60 });
  fc.assert(
    fc.property(some_rules, walk, (changes, events) => {
      const one = contender(changes);
      let now_ns = 0n;
      for (const [next, later_ms] of events) {
        now_ns += BigInt(later_ms) * 1_000_000n;
        const over = one.state.at === "exited";
        const effects = one.at(now_ns).tell(next);
        if (over) assert.deepEqual(effects, []);
      }
    }),
    { numRuns: 2000 },
  );
});
