// Builds dist/, whose layout is that of /opt/leasehold in an image: the guard finds the other two beside itself.
//
//   leasehold        the guard
//   leasehold.cjs    the controller, one file
//   node             a link to the pinned Node
//
// With --sanitize it also builds leasehold-asan.

import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const root = join(import.meta.dirname, "..");
const dist = join(root, "dist");
mkdirSync(dist, { recursive: true });

await build({
  absWorkingDir: root,
  entryPoints: ["src/main.ts"],
  outfile: "dist/leasehold.cjs",
  bundle: true,
  platform: "node",
  target: "node24",
  // One CommonJS file: it starts faster than modules do, and a stack in a bug report keeps its names.
  format: "cjs",
  minifySyntax: true,
  // What only the sources ask for, to find each other.
  define: { "import.meta.dirname": '""' },
  logLevel: "warning",
});

rmSync(join(dist, "node"), { force: true });
symlinkSync("../node_modules/node/bin/node", join(dist, "node"));

guard("release", "dist/leasehold");
if (process.argv.includes("--sanitize")) guard("sanitize", "dist/leasehold-asan");

function guard(mode: string, out: string): void {
  const { status } = spawnSync("sh", [join(root, "tools/guard.sh"), mode, out], { stdio: "inherit" });
  if (status !== 0) process.exit(1);
}
