// Each planted defect of the core, the locks and the volume lease is found by the simulator.
//
//   npm run test:long -- plants/core

import assert from "node:assert/strict";
import { test } from "node:test";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { core_plants } from "./core.ts";
import { lease_plants } from "./lease.ts";
import { planted } from "./planted.ts";

/** So many seeds may pass before it is found. */
const seeds = 10_000;

function plant_in(copy: string, { file, from, to }: { file: string; from: string; to: string }): void {
  const path = join(copy, "src", file);
  const source = readFileSync(path, "utf8");
  assert.equal(source.split(from).length, 2, "the line is not there just once");
  writeFileSync(
    path,
    source.replace(from, () => to),
  );
}

for (const plant of [...core_plants, ...lease_plants]) {
  test(plant.what, { timeout: 900_000 }, (t) => {
    const copy = planted(t, join("src", plant.file), plant);
    for (const edit of plant.also ?? []) plant_in(copy, edit);
    const argv = [join(copy, "test/sim/run.ts"), "--lock", plant.lock, "--seeds", `${seeds}`];
    const { status, stdout } = spawnSync(process.execPath, argv, { encoding: "utf8", maxBuffer: 2 ** 26 });
    assert.equal(status, 1, `not found in ${seeds} seeds: ${stdout.slice(-500)}`);
    // By what it does, not because it can't run.
    assert.doesNotMatch(stdout, /(Type|Reference|Syntax)Error/);
    assert.match(stdout, /--seed \d+/);
    t.diagnostic(/--seed \d+/.exec(stdout)?.[0] ?? "");
  });
}
