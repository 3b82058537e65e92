// The measuring programs, compiled into a temporary directory that any user may read and write: some of what is measured
// runs without privileges. The guard is copied there, so that a build meanwhile changes nothing.

import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
export const directory = mkdtempSync(join(tmpdir(), "leasehold-bench-"));
process.on("exit", () => {
  rmSync(directory, { recursive: true, force: true });
});
chmodSync(directory, 0o777);

/** musl, because the programs then start fast and are small. */
export const compiler =
  ["musl-gcc", "cc"].find((name) => spawnSync(name, ["--version"]).status === 0) ?? "cc";

function compile(name: string, ...more: string[]): string {
  const out = join(directory, name);
  const sources = [`bench/${name}.c`, ...more];
  execFileSync(
    compiler,
    ["-std=gnu11", "-O2", "-static", "-Wall", "-Wextra", "-Werror", "-o", out, ...sources],
    {
      cwd: root,
    },
  );
  return out;
}

export const guard = join(directory, "leasehold");
copyFileSync(join(root, "dist/leasehold"), guard);
export const app = compile("app");
export const controller = compile("controller", "src/guard/frame.c");
export const watch = compile("watch");
export const spawner = compile("spawn");
