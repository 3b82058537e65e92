// /opt/leasehold as a container gets it, made once for a test file.

import { spawnSync } from "node:child_process";
import { globSync, mkdtempSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { at_end } from "./at-end.ts";

const root = join(import.meta.dirname, "../..");

export type Payload = {
  folder: string;
  /** Path in a container → file here. */
  files: Readonly<Record<string, string>>;
  bytes: number;
  remove: () => Promise<void>;
};

export function make_payload(): Payload {
  const parent = mkdtempSync(join(tmpdir(), "leasehold-payload-"));
  const remove = at_end('rm -rf -- "$1"', parent);
  const folder = join(parent, "leasehold");
  const { status, stderr } = spawnSync(process.execPath, [join(root, "tools/payload.ts"), folder], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(stderr);
  const files = payload_files(folder);
  const bytes = Object.values(files).reduce((sum, path) => sum + statSync(path).size, 0);
  return { folder, files, bytes, remove };
}

/** Of such a folder: path in a container → file here. */
export function payload_files(folder: string): Payload["files"] {
  const all = globSync(`${folder}/**/*`).filter((path) => statSync(path).isFile());
  return Object.fromEntries(all.map((path) => [`/opt/leasehold/${relative(folder, path)}`, path]));
}
