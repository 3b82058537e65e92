// A file system that stops answering, reads as well as writes, and whose waiters SIGKILL frees: bindfs, its daemon stopped.
// Needs root and the Debian package bindfs.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { at_end } from "./at-end.ts";

export type HangingFs = {
  /** Where it is mounted; empty. */
  path: string;
  hang(): void;
  go_on(): void;
  close(): Promise<void>;
};

export async function hanging_fs(): Promise<HangingFs> {
  const folder = mkdtempSync(join(tmpdir(), "leasehold-hung-"));
  const [source, path] = [join(folder, "source"), join(folder, "fs")];
  mkdirSync(source);
  mkdirSync(path);
  const daemon = spawn("bindfs", ["-f", source, path], { stdio: "ignore" });
  const ended = once(daemon, "exit");
  const remove = at_end(
    'kill -9 "$2" 2>&-; ! mountpoint -q "$1/fs" || umount --lazy "$1/fs"; rm -rf "$1/source"; rmdir "$1/fs" "$1"',
    folder,
    String(daemon.pid),
  );
  while (!readFileSync("/proc/mounts", "utf8").includes(` ${path} `)) await sleep(5);
  return {
    path,
    hang: () => void daemon.kill("SIGSTOP"),
    go_on: () => void daemon.kill("SIGCONT"),
    async close() {
      daemon.kill("SIGKILL");
      await ended;
      await remove();
    },
  };
}
