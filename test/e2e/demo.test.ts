import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";

test("npm run demo: six faults, each survived, nothing lost, and never two copies", () => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(import.meta.dirname, "../../examples/demo/demo.ts")],
    { encoding: "utf8", timeout: 180_000 },
  );
  assert.equal(status, 0, `${stdout}${stderr}`);
  assert.match(stdout, /\d{3,} writes acknowledged, 0 lost/);
  assert.match(stdout, /7 copies of the store, one after the other: overlap 0 ms/);
  assert.equal(stdout.match(/ ms$/gm)?.length, 8, "a figure for each fault");
});
