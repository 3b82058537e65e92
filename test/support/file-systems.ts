// Real file systems for tests: ext4 on a loop device, tmpfs, bindfs over a folder. Each is unmounted when the test ends, also
// when it fails or its process is killed. Needs root.

import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { Clock } from "../../src/guard/clock.ts";
import type { Time } from "../../src/core/time.ts";
import { real_time } from "../../src/shell/time.ts";
import { at_end } from "./at-end.ts";

/** A folder that holds mounts and images of loop devices; all of them are gone when the test has ended. */
export function mounts_folder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "leasehold-volume-"));
  const close = at_end(
    'for m in $(grep -o " $1/[^ ]*" /proc/self/mountinfo | sort -r); do umount --lazy "$m" 2>&-; done; losetup --list --noheadings --output NAME,BACK-FILE | while read -r d f; do case $f in "$1"/*) losetup -d "$d" ;; esac; done; rm -rf --one-file-system "$1"',
    folder,
  );
  t.after(close);
  chmodSync(folder, 0o755);
  return folder;
}

export function sh(script: string, ...args: string[]): string {
  return execFileSync("sh", ["-ec", script, "sh", ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** An ext4 on a loop device, mounted at folder/name. options: of mkfs. */
export function ext4(folder: string, name: string, size_mb = 16, ...options: string[]): string {
  const [image, path] = [join(folder, `${name}.image`), join(folder, name)];
  mkdirSync(path);
  sh('truncate --size "$2M" "$1"; shift 2; mkfs.ext4 -q "$@"', image, String(size_mb), ...options, image);
  sh('mount -o loop "$1" "$2"', image, path);
  return path;
}

export function tmpfs(folder: string, name: string, options = "size=1m"): string {
  const path = join(folder, name);
  mkdirSync(path);
  sh('mount -t tmpfs -o "$2" volume "$1"', path, options);
  return path;
}

/**
 * A FUSE file system whose daemon the test may stop: all who ask it wait, as on a server that doesn't answer. under: what it shows;
 * several may show one folder.
 */
export async function bindfs(
  t: TestContext,
  folder: string,
  name: string,
  under: string = join(folder, `${name}.under`),
): Promise<{ path: string; under: string; daemon: ChildProcess }> {
  const path = join(folder, name);
  mkdirSync(under, { recursive: true });
  mkdirSync(path);
  const daemon = spawn("bindfs", ["-f", "--no-allow-other", under, path], { stdio: "ignore" });
  t.after(() => daemon.kill("SIGKILL"));
  for (let turn = 0; !readFileSync("/proc/self/mountinfo", "latin1").includes(` ${path} `); turn++) {
    if (turn > 500) throw new Error("bindfs didn't mount");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { path, under, daemon };
}

/** CLOCK_BOOTTIME to within a hundredth of a second, which is what /proc/uptime shows. */
export function boot_time(): Time {
  const clock = new Clock();
  clock.sample(BigInt(Math.round(Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]) * 1e9)));
  return real_time(clock);
}
