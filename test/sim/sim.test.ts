// The simulator itself, and a short share of its seeds. The long one: npm run sim -- --seeds 1000000.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { join } from "node:path";
import { lock_models, simulate } from "./simulate.ts";

test("10,000 seeds: no violation", { timeout: 600_000 }, () => {
  const run = join(import.meta.dirname, "run.ts");
  const { status, stdout, stderr } = spawnSync(process.execPath, [run, "--seeds", "10000"], {
    encoding: "utf8",
  });
  assert.equal(status, 0, `${stdout}${stderr}`);
  // It did something: on the average more than one app a seed was started.
  const starts = Number(/: (\d+) starts of an app, no violation/.exec(stdout)?.[1]);
  assert.ok(starts > 10_000, stdout);
});

for (const lock of lock_models) {
  test(`${lock}: the same seed gives the same run, another one another`, async () => {
    const [one, again, other] = [await simulate(7, lock), await simulate(7, lock), await simulate(8, lock)];
    assert.deepEqual(again, one);
    assert.notDeepEqual(other.log, one.log);
  });
}
