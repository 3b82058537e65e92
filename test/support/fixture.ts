import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");

/** Compiles test/fixtures/NAME.c and returns the program's path. Static, so that it runs in any root. */
export function fixture(name: string): string {
  const folder = join(root, "dist/test");
  const program = join(folder, name);
  mkdirSync(folder, { recursive: true });
  const compile = 'cc -O1 -Wall -Wextra -Werror -static -o "$1.$$" "$0" && mv "$1.$$" "$1"';
  const { status, stderr } = spawnSync(
    "sh",
    ["-c", compile, join(root, `test/fixtures/${name}.c`), program],
    {
      encoding: "utf8",
    },
  );
  assert.equal(status, 0, stderr);
  return program;
}
