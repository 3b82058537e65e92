// Each planted defect is found by the test that is named with it: a claim's test fails when the line behind it is broken.
//
//   npm run test:long -- plants/guard

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { requires } from "../support/requires.ts";
import { plants } from "./guard.ts";
import { planted } from "./planted.ts";

for (const plant of plants) {
  test(plant.what, (t) => {
    if (!requires(t, "musl-gcc", "root")) return;
    const copy = planted(t, join("src/guard", plant.file), plant);
    const guard = join(copy, "dist/leasehold");
    const built = spawnSync("sh", [join(copy, "tools/guard.sh"), "release", guard], { encoding: "utf8" });
    assert.equal(built.status, 0, built.stderr);

    const argv = [
      "--test",
      "--test-timeout=40000",
      "--test-name-pattern",
      `^${plant.name}`,
      join(copy, "test", plant.test),
    ];
    const { NODE_TEST_CONTEXT: _, LEASEHOLD_TEST_GUARD: _other, ...rest } = process.env;
    const env = { ...rest, LEASEHOLD_TEST_PATIENCE_MS: "9000" };
    const run = spawnSync(process.execPath, argv, {
      encoding: "utf8",
      env,
      timeout: 120_000,
      killSignal: "SIGTERM",
    });
    const failed = Number(/^# fail (\d+)$|^ℹ fail (\d+)$/m.exec(run.stdout)?.slice(1).find(Boolean) ?? 0);
    assert.ok(failed > 0, `not found: ${run.stdout.slice(-1500)}`);
  });
}
