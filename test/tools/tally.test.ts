import assert from "node:assert/strict";
import { test } from "node:test";
import { Tally, type TestEvent } from "../../tools/tally.ts";

test("counts the tests that hold no others", () => {
  const tally = new Tally();
  const event = (nesting: number, passed: boolean, more: Partial<TestEvent> = {}): void =>
    tally.add({ nesting, details: {}, ...more }, passed);

  event(1, true);
  event(1, true, { skip: "no root" });
  event(0, true); // their parent
  event(2, false);
  event(1, false, { details: { error: { failureType: "subtestsFailed" } } });
  event(0, false, { details: { type: "suite", error: { failureType: "subtestsFailed" } } });
  event(0, true, { details: { type: "suite" } }); // an empty suite
  event(1, true);
  event(0, false, { details: { error: { failureType: "testCodeFailure" } } }); // a parent that fails by itself
  event(0, true);

  assert.deepEqual([tally.passed, tally.failed, tally.skipped], [3, 2, 1]);
  tally.take({ passed: 10, failed: 20, skipped: 30 });
  tally.take({ passed: 1, failed: 0 });
  assert.deepEqual([tally.passed, tally.failed, tally.skipped], [14, 22, 31]);
});
