// Each planted defect is found by the test that is named with it: a claim's test fails when the line behind it is broken.
//
//   npm run test:long -- plants/guard

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { all_processes } from "../support/processes.ts";
import { requires } from "../support/requires.ts";
import { plants } from "./guard.ts";
import { planted } from "./planted.ts";

/** A broken guard leaves processes behind; their programs lie in the copy. */
function end_all_of(copy: string): void {
  for (const { pid } of all_processes()) {
    try {
      if (readlinkSync(`/proc/${pid}/exe`).startsWith(`${copy}/`)) process.kill(pid, "SIGKILL");
    } catch {
      // gone, or the kernel's
    }
  }
}

for (const plant of plants) {
  test(plant.what, (t) => {
    if (!requires(t, "musl-gcc", "root")) return;
    const copy = planted(t, join("src/guard", plant.file), plant);
    t.after(() => end_all_of(copy));
    const guard = join(copy, "dist/leasehold");
    const built = spawnSync("sh", [join(copy, "tools/guard.sh"), "release", guard], { encoding: "utf8" });
    assert.equal(built.status, 0, built.stderr);

    const argv = [
      "--test",
      "--test-timeout=40000",
      "--test-force-exit",
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
    // What waits for ever for the right thing to happen is cancelled.
    const found = /^[#ℹ] (fail|cancelled) [1-9]/m.test(run.stdout);
    assert.ok(found, `not found: ${run.stdout.slice(-1500)}`);
  });
}
