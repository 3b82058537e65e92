// A volume in a mount namespace of its own, which ends with it: nothing of it is seen outside. Needs root.

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { at_end } from "../../test/support/at-end.ts";
import type { Ends } from "./services.ts";

/** Each a shell script's end that mounts something at "$1/volume", and goes on. */
const scripts = {
  ext4: 'truncate --size 64M "$1/image"; mkfs.ext4 -q "$1/image"; mount -o loop "$1/image" "$1/volume"; exec sleep infinity',
  tmpfs: 'mount -t tmpfs volume "$1/volume"; exec sleep infinity',
  bind: 'mount --bind "$1/below" "$1/volume"; exec sleep infinity',
  bindfs: 'exec bindfs -f "$1/below" "$1/volume"',
};
export type Mounting = keyof typeof scripts;

export type Mounted = {
  path: string;
  /** What starts a program beside it: it becomes the program, under the same pid. */
  wrapper: readonly string[];
  /** Whoever keeps the namespace: of bindfs the file system's own daemon. */
  keeper: number;
};

export async function mounted(ends: Ends, what: Mounting): Promise<Mounted> {
  const folder = mkdtempSync(join(tmpdir(), "leasehold-bench-volume-"));
  const path = join(folder, "volume");
  for (const name of ["volume", "below"]) mkdirSync(join(folder, name));
  const words = ["--pdeathsig", "KILL", "--", "unshare", "--mount", "--propagation", "private", "--"];
  const child = spawn("setpriv", [...words, "sh", "-ec", scripts[what], "sh", folder], { stdio: "ignore" });
  const exit = new Promise((resolve) => child.once("exit", resolve));
  const remove = at_end('rm -rf --one-file-system -- "$1"', folder);
  ends.after(async () => {
    child.kill("SIGKILL");
    await exit;
    await remove();
  });
  const keeper = child.pid ?? 0;
  while (!readFileSync(`/proc/${keeper}/mountinfo`, "utf8").includes(` ${path} `)) {
    if (child.exitCode !== null) throw new Error(`${what} can't be mounted`);
    await sleep(5);
  }
  return { path, wrapper: ["nsenter", "--target", `${keeper}`, "--mount", "--"], keeper };
}
