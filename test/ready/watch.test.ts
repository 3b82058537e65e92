import assert from "node:assert/strict";
import { test } from "node:test";
import type { Time } from "../../src/core/time.ts";
import { ReadyWatch } from "../../src/ready/watch.ts";

/** A watch on answers of our choosing, in a time that goes on when it is told to. */
function watched(answers: (string | null)[]) {
  const told: string[] = [];
  const delays_ms: number[] = [];
  const scheduled: (() => void)[] = [];
  const time: Time = {
    now_ns: () => 0n,
    after(delay_ms, callback) {
      delays_ms.push(delay_ms);
      scheduled.push(callback);
      return () => void scheduled.splice(scheduled.indexOf(callback), 1);
    },
  };
  const watch = new ReadyWatch({
    ask: () => Promise.resolve(answers.shift() ?? null),
    every_ms: 5000,
    time,
    on_ready: () => told.push("ready"),
    on_unready: (because) => told.push(because),
  });
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return {
    told,
    delays_ms,
    watch,
    goes_on: async (rounds: number) => {
      await settle();
      for (let round = 0; round < rounds; round++) {
        scheduled.shift()?.();
        await settle();
      }
    },
  };
}

test("asked at once, often until it is ready, then every so often", async () => {
  const { told, delays_ms, goes_on } = watched(["refused", "refused", null, null]);
  await goes_on(3);
  assert.deepEqual(told, ["refused", "refused", "ready"]);
  assert.deepEqual(delays_ms, [250, 250, 5000, 5000]);
});

test("of an app that was ready, three failures in a row count, not two", async () => {
  const { told, goes_on } = watched([null, "late", "late", null, "late", "late", "gone", "gone", null]);
  await goes_on(5);
  assert.deepEqual(told, ["ready"]);
  await goes_on(3);
  assert.deepEqual(told, ["ready", "gone", "gone", "ready"]);
});

test("ended, it asks no more, and an answer that comes late is none", async () => {
  const { told, watch, goes_on, delays_ms } = watched([null, null]);
  watch.end();
  await goes_on(2);
  assert.deepEqual([told, delays_ms], [[], []]);
});
