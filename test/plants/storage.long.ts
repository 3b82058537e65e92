// Each planted defect of the volume's checks is found by the test that is named with it.
//
//   npm run test:long -- plants/storage

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { guard } from "../support/hand.ts";
import { requires } from "../support/requires.ts";
import { planted } from "./planted.ts";
import { storage_plants } from "./storage.ts";

for (const plant of storage_plants) {
  test(plant.what, (t) => {
    if (!requires(t, "root", "mkfs.ext4", "bindfs", "fsfreeze")) return;
    const copy = planted(t, join("src", plant.file), plant);
    const argv = [
      "--test",
      "--test-timeout=40000",
      "--test-name-pattern",
      `^${plant.name}`,
      join(copy, "test", plant.test),
    ];
    const { NODE_TEST_CONTEXT: _, ...rest } = process.env;
    const run = spawnSync(process.execPath, argv, {
      encoding: "utf8",
      env: { ...rest, LEASEHOLD_TEST_GUARD: guard },
      timeout: 120_000,
      killSignal: "SIGTERM",
    });
    // A test that waits for what never comes is cancelled at its time limit.
    const counts = [...run.stdout.matchAll(/^[#ℹ] (?:fail|cancelled) (\d+)$/gm)].map(([, count]) =>
      Number(count),
    );
    const failed = counts.reduce((sum, count) => sum + count, 0);
    assert.ok(failed > 0, `not found: ${run.stdout.slice(-1500)}`);
    // By what it does, not because it can't run.
    assert.doesNotMatch(run.stdout, /(Reference|Syntax)Error/);
  });
}
