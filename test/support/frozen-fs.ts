// A file system that can be frozen: who writes to it then waits in the kernel and can't be killed, not by SIGKILL
// either, until it is thawed. Needs root, loop devices, and the Debian packages e2fsprogs, mount and util-linux.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { at_end } from "./at-end.ts";

export type FreezableFs = {
  /** Where it is mounted: empty but for lost+found, writable by everyone. */
  path: string;
  freeze(): void;
  thaw(): void;
  /** Thaws, unmounts, removes. Runs after the test anyway. */
  close(): Promise<void>;
};

/** An ext4 of its own, on a loop device. Only freeze what no process of the test itself is about to write to. */
export function freezable_fs(t: TestContext, size_mb = 16): FreezableFs {
  const folder = mkdtempSync(join(tmpdir(), "leasehold-frozen-"));
  const [image, path] = [join(folder, "image"), join(folder, "fs")];
  mkdirSync(path);
  // Lazily: whoever was frozen may take a moment to let go. The loop device goes with the mount.
  const close = at_end(
    'fsfreeze --unfreeze "$1/fs" 2>&-; ! mountpoint -q "$1/fs" || umount --lazy "$1/fs"; rm -rf "$1/image"; rmdir "$1/fs" "$1"',
    folder,
  );
  t.after(close);
  run("truncate", "--size", `${size_mb}M`, image);
  run("mkfs.ext4", "-q", "-E", "root_owner=0:0,lazy_itable_init=0", image);
  run("mount", "-o", "loop", image, path);
  run("chmod", "1777", path);
  return {
    path,
    freeze: () => run("fsfreeze", "--freeze", path),
    thaw: () => run("fsfreeze", "--unfreeze", path),
    close,
  };
}

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: ["ignore", "ignore", "pipe"] });
}
