import assert from "node:assert/strict";
import { test } from "node:test";
import { describe_progress, Meter, type Progress } from "../../src/backup/meter.ts";

/** A meter on a clock of its own, and what it has told. */
function metered(total?: number) {
  const clock = { ms: 1000 };
  const told: Progress[] = [];
  const meter = new Meter(
    "restoring",
    (progress) => told.push(progress),
    () => clock.ms,
  );
  if (total !== undefined) meter.total(total);
  const add = (bytes: number, ms: number): void => {
    clock.ms += ms;
    meter.add(bytes);
  };
  return { add, told, sentences: () => told.map(describe_progress) };
}

test("bytes, percent, rate and what is left, twice a second at most", () => {
  const { add, sentences } = metered(100e6);
  for (let step = 0; step < 10; step++) add(4e6, 100);
  assert.deepEqual(sentences(), [
    "restoring: 20 %, 20 MB of 100 MB, 40 MB/s, 2 s left",
    "restoring: 40 %, 40 MB of 100 MB, 40 MB/s, 1.5 s left",
  ]);
});

test("where the total is not known: bytes and rate", () => {
  const { add, sentences } = metered();
  add(3e6, 2000);
  assert.deepEqual(sentences(), ["restoring: 3 MB, 1.5 MB/s"]);
});

test("more than was told is 100 %, and nothing is left", () => {
  const { add, sentences } = metered(1e6);
  add(2e6, 1000);
  assert.deepEqual(sentences(), ["restoring: 100 %, 2 MB of 1 MB, 2 MB/s, 0 ms left"]);
});

test("what takes hours is told of less often", () => {
  const { add, told } = metered(1e12);
  add(0, 3_600_000);
  for (let step = 0; step < 17; step++) add(0, 1000);
  assert.equal(told.length, 1);
  add(0, 2000);
  assert.equal(told.length, 2);
});
