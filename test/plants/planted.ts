import assert from "node:assert/strict";
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
