import assert from "node:assert/strict";
import { test } from "node:test";
import { due_in_ms } from "../../src/backup/schedule.ts";

const [minute, hour] = [60_000, 3_600_000];
const now_ms = Date.parse("2026-11-25T03:20:00.000Z");

test("an interval counts from the last good one, whoever made it; what is overdue is due now", async () => {
  const due = (good_ms: number | null, failed = false): Promise<number> =>
    due_in_ms({ every_ms: hour }, { good_ms, failed }, now_ms);
  assert.equal(await due(now_ms - 20 * minute), 40 * minute);
  assert.equal(await due(now_ms - 5 * hour), 0);
  assert.equal(await due(now_ms + 5 * hour), hour, "the clock was set back");
  assert.equal(await due(null), minute, "there is none yet");
  assert.equal(await due(now_ms - 5 * hour, true), 5 * minute, "after a failure");
  assert.equal(await due_in_ms({ every_ms: 1000 }, { good_ms: null, failed: false }, now_ms), 1000);
});

test("a cron pattern is the clock's", async () => {
  const due = (cron: string): Promise<number> =>
    due_in_ms({ cron }, { good_ms: now_ms, failed: true }, now_ms);
  assert.equal(await due("30 * * * *"), 10 * minute);
  assert.equal(await due("*/20 * * * * *"), 20_000);
});
