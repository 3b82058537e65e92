import assert from "node:assert/strict";
import { test } from "node:test";
import { requires } from "../support/requires.ts";
import { type Case, crash_at_each_step } from "./crash.ts";

// The rest, and each 20 times: crash.long.ts.
const cases: Case[] = [
  { kind: "ext4", at_mount_point: false, power_cut: false },
  { kind: "xfs", at_mount_point: true, power_cut: true },
];
for (const one of cases) {
  const how = one.at_mount_point ? "entries are moved" : "the directory is renamed";
  const what = one.power_cut ? "the power is cut" : "it is killed";
  test(`${one.kind}, ${how}: ${what} at each step, and the next one finishes it`, async (t) => {
    if (!requires(t, "root", "mkfs.ext4", "mkfs.xfs", "python3")) return;
    const steps = await crash_at_each_step(t, one);
    t.diagnostic(`${steps.length} steps: ${steps.join(", ")}`);
    assert.ok(steps.length >= 10);
    for (const step of ["staging", "unpacked", "checked", "staged", "exchanged", "marked", "done"])
      assert.ok(steps.includes(step), step);
  });
}
