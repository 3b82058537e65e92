// Each planted defect is found by the test that is named with it: a claim's test fails when the line behind it is broken.
//
//   npm run test:long -- plants/guard

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { requires } from "../support/requires.ts";
import { plants } from "./guard.ts";

const root = join(import.meta.dirname, "../..");

for (const plant of plants) {
  test(plant.what, (t) => {
    if (!requires(t, "musl-gcc", "root")) return;
    const copy = mkdtempSync(join(tmpdir(), "leasehold-plant-"));
    t.after(() => rmSync(copy, { recursive: true }));
    for (const part of ["src", "tools", "test", "bench", "package.json"])
      cpSync(join(root, part), join(copy, part), { recursive: true });
    symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
    mkdirSync(join(copy, "dist"));
    chmodSync(copy, 0o755);
    const file = join(copy, "src/guard", plant.file);
    const source = readFileSync(file, "utf8");
    assert.equal(source.split(plant.from).length, 2, "the line is not there just once");
    writeFileSync(
      file,
      source.replace(plant.from, () => plant.to),
    );
    const guard = join(copy, "dist/leasehold");
    const built = spawnSync("sh", [join(copy, "tools/guard.sh"), "release", guard], { encoding: "utf8" });
    assert.equal(built.status, 0, built.stderr);

    const argv = ["--test", "--test-name-pattern", `^${plant.name}`, join(copy, "test", plant.test)];
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
