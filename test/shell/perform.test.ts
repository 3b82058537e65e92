// What the guard would do for a dead controller, while that gives the lock back.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryLock, MemoryService } from "../../src/lock/memory.ts";
import { type GuardPort, performer } from "../../src/shell/perform.ts";
import { rules } from "../core/a-contender.ts";

test("given back as unclean: nothing that says it ended well is registered, not by a proof that was under way either", async (t) => {
  const time = { now_ns: () => process.hrtime.bigint(), after: () => () => {} }; // no lease ends here
  const identity = { holder: "a", instance: "a-1", boot_id: "", address: null, volume_id: null };
  const options = { identity, ttl_ms: 30_000, attempt_ms: 1000, time, on_lost: () => {} };
  const lock = new MemoryLock(new MemoryService(time), options);
  t.after(() => lock.close());
  let answer_proof = (): void => {};
  const prove = lock.prove.bind(lock);
  lock.prove = async () => {
    await new Promise<void>((resolve) => (answer_proof = resolve));
    return prove();
  };
  const registrations: boolean[] = [];
  const done = () => Promise.resolve("done" as const);
  const guard: GuardPort = {
    ...{ deadline: done, start: done, signal: done, kill: done, exit: done },
    register_release() {
      registrations.push(true);
      return done();
    },
    unregister_release() {
      registrations.push(false);
      return done();
    },
  };
  const told: string[] = [];
  const perform = performer({
    ...{ rules, lock, guard, stop_scope: "main", start: () => ({ unset: [], set: [], argv: [] }) },
    ...{ watch_ready: () => {}, on_exit: () => {}, drain: () => Promise.resolve(null) },
    run_hook: () => Promise.resolve({ failure: null, alive: false }),
    release: () => [Buffer.alloc(0), { drain_ms: 0, release_ms: 0, paths: [] }],
    on_defect: (error) => void told.push(String(error)),
  });
  const push = ({ type }: { type: string }): void => void told.push(type);
  const until = async (what: string): Promise<void> => {
    while (!told.includes(what)) await new Promise((resolve) => setImmediate(resolve));
  };

  perform({ do: "take" }, push);
  await until("taken");
  assert.deepEqual(registrations, [true]);
  perform({ do: "prove", tenure: 1n }, push);
  perform({ do: "release", tenure: 1n, state: "unclean", failures: 0 }, push);
  answer_proof();
  await until("released");
  assert.deepEqual(registrations, [true, false]);
});
