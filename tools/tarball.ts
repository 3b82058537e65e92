// Makes leasehold-VERSION-linux-ARCH.tar.gz in a folder: /opt/leasehold, the systemd unit, and its example; to be unpacked at /.
//
//   node tools/tarball.ts FOLDER

import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pkg from "../package.json" with { type: "json" };

const [, , target] = process.argv;
if (target === undefined || !existsSync(target)) {
  console.error(target === undefined ? "tarball: a folder is missing" : `tarball: ${target} is not there`);
  process.exit(64);
}
const source = join(import.meta.dirname, "..");
const examples = join(source, "examples/systemd");
const root = mkdtempSync(join(tmpdir(), "leasehold-tarball-"));
try {
  const units = join(root, "usr/lib/systemd/system");
  const docs = join(root, "usr/share/doc/leasehold");
  for (const folder of [units, join(docs, "examples"), join(root, "opt")])
    mkdirSync(folder, { recursive: true, mode: 0o755 });
  run(process.execPath, join(source, "tools/payload.ts"), join(root, "opt/leasehold"));
  copyFileSync(join(examples, "leasehold@.service"), join(units, "leasehold@.service"));
  copyFileSync(join(examples, "README.md"), join(docs, "README.md"));
  copyFileSync(join(examples, "redis.env"), join(docs, "examples/redis.env"));
  copyFileSync(join(source, "LICENSE"), join(docs, "copyright"));
  const file = join(target, `${pkg.name}-${pkg.version}-linux-${process.arch}.tar.gz`);
  // The same from the same sources, but for the time.
  run(
    "tar",
    "-C",
    root,
    "--sort=name",
    "--owner=0",
    "--group=0",
    "--numeric-owner",
    "-czf",
    file,
    "opt",
    "usr",
  );
  console.log(file);
} finally {
  rmSync(root, { recursive: true, force: true });
}

function run(command: string, ...args: string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`tarball: ${command}: ${stderr}${error?.message ?? ""}`);
}
