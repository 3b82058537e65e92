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
import type { TestContext } from "node:test";
import { guard } from "../support/hand.ts";
import type { CorePlant } from "./core.ts";

/** A defect, and the test that has to find it. */
export type TestedPlant = {
  what: string;
  /** Below src/. */
  file: string;
  from: string;
  to: string;
  /** Below test/. */
  test: string;
  /** Begins the test's name. */
  name: string;
};

const root = join(import.meta.dirname, "../..");

/** A copy of the project with one line changed; removed after the test. dist/ is empty there. */
export function planted(t: TestContext, file: string, { from, to }: { from: string; to: string }): string {
  const copy = mkdtempSync(join(tmpdir(), "leasehold-plant-"));
  t.after(() => rmSync(copy, { recursive: true }));
  for (const part of ["src", "tools", "test", "bench", "package.json"])
    cpSync(join(root, part), join(copy, part), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  mkdirSync(join(copy, "dist"));
  chmodSync(copy, 0o755);
  const source = readFileSync(join(copy, file), "utf8");
  assert.equal(source.split(from).length, 2, "the line is not there just once");
  writeFileSync(
    join(copy, file),
    source.replace(from, () => to),
  );
  return copy;
}

/** Once more in the same copy. */
function plant_in(copy: string, { file, from, to }: { file: string; from: string; to: string }): void {
  const path = join(copy, "src", file);
  const source = readFileSync(path, "utf8");
  assert.equal(source.split(from).length, 2, "the line is not there just once");
  writeFileSync(
    path,
    source.replace(from, () => to),
  );
}

/** So many seeds may pass before it is found. */
const seeds = 10_000;

export function found_by_the_simulator(t: TestContext, plant: CorePlant): void {
  const copy = planted(t, join("src", plant.file), plant);
  for (const edit of plant.also ?? []) plant_in(copy, edit);
  const argv = [join(copy, "test/sim/run.ts"), "--lock", plant.lock, "--seeds", `${seeds}`];
  const { status, stdout } = spawnSync(process.execPath, argv, { encoding: "utf8", maxBuffer: 2 ** 26 });
  assert.equal(status, 1, `not found in ${seeds} seeds: ${stdout.slice(-500)}`);
  // By what it does, not because it can't run.
  assert.doesNotMatch(stdout, /(Type|Reference|Syntax)Error/);
  assert.match(stdout, /--seed \d+/);
  t.diagnostic(/--seed \d+/.exec(stdout)?.[0] ?? "");
}

export function found_by_its_test(t: TestContext, plant: TestedPlant): void {
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
}
