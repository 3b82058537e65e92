// A control group of a test's own: version 2 where the machine has that mounted, else version 1 (also in the hybrid
// layout). Needs root.
//
// They differ in one thing that matters here: SIGKILL ends a process frozen by version 2 at once; one frozen by
// version 1 dies only after the thaw.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { at_end } from "./at-end.ts";

const top = "/sys/fs/cgroup";
const controllers = ["cpu", "freezer", "pids"] as const;
/** Periods of 100 ms, the kernel's own default. */
const period_us = 100_000;

const cgroup_version = existsSync(join(top, "cgroup.controllers")) ? 2 : 1;

export type CgroupOptions = {
  /** Of one core. */
  cpu_percent?: number;
  pids_max?: number;
};

export type Cgroup = {
  /** What starts a program inside: it becomes this process, under the same pid. */
  prefix: string[];
  /** Puts a running process in; its children from then on are in, too. */
  add(pid: number): void;
  pids(): number[];
  /** Resolves when every process stands still. */
  freeze(): Promise<void>;
  thaw(): void;
  /** How often the CPU limit made it wait, and for how long together. */
  throttled(): { times: number; us: number };
  /** Thaws, kills what is left inside, removes. Runs after the test anyway. */
  close(): Promise<void>;
};

let made = 0;

export function cgroup(t: TestContext, options: CgroupOptions = {}): Cgroup {
  const name = `leasehold-${process.pid}-${made++}`;
  const folders = cgroup_version === 2 ? [join(top, name)] : controllers.map((one) => join(top, one, name));
  const folder = (controller: (typeof controllers)[number]): string =>
    cgroup_version === 2 ? join(top, name) : join(top, controller, name);
  const put = (controller: (typeof controllers)[number], file: string, value: string): void =>
    writeFileSync(join(folder(controller), file), value);
  const [state, frozen, thawed] =
    cgroup_version === 2
      ? (["cgroup.freeze", "1", "0"] as const)
      : (["freezer.state", "FROZEN", "THAWED"] as const);

  // A process that can't be killed keeps it from being removed: that is worth an error, after 10 s.
  const close = at_end(
    `freezer=$1 state=$2 thawed=$3
     shift 3
     for try in $(seq 100); do
       [ ! -e "$freezer/$state" ] || echo "$thawed" >"$freezer/$state"
       for folder; do [ ! -d "$folder" ] || kill -KILL $(cat "$folder/cgroup.procs") 2>&-; done
       for folder; do [ ! -d "$folder" ] || rmdir "$folder" 2>&-; done
       left=; for folder; do [ ! -d "$folder" ] || left=$folder; done
       [ -n "$left" ] || exit 0
       sleep 0.1
     done
     echo "$left can't be removed" >&2
     exit 1`,
    folder("freezer"),
    state,
    thawed,
    ...folders,
  );
  t.after(close);
  if (cgroup_version === 2) writeFileSync(join(top, "cgroup.subtree_control"), "+cpu +pids");
  for (const path of folders) mkdirSync(path);

  if (options.cpu_percent !== undefined) {
    const quota_us = (options.cpu_percent / 100) * period_us;
    if (cgroup_version === 2) put("cpu", "cpu.max", `${quota_us} ${period_us}`);
    else {
      put("cpu", "cpu.cfs_period_us", `${period_us}`);
      put("cpu", "cpu.cfs_quota_us", `${quota_us}`);
    }
  }
  if (options.pids_max !== undefined) put("pids", "pids.max", `${options.pids_max}`);

  const is_frozen = (): boolean =>
    cgroup_version === 2
      ? /^frozen 1$/m.test(readFileSync(join(folder("freezer"), "cgroup.events"), "utf8"))
      : readFileSync(join(folder("freezer"), state), "utf8").trim() === "FROZEN";
  const enter =
    'while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs" || exit 125; shift; done; shift; exec "$@"';
  return {
    prefix: ["sh", "-c", enter, "cgroup", ...folders, "--"],
    add: (pid) => folders.forEach((path) => writeFileSync(join(path, "cgroup.procs"), `${pid}`)),
    pids: () =>
      readFileSync(join(folder("freezer"), "cgroup.procs"), "utf8")
        .split("\n")
        .filter(Boolean)
        .map(Number),
    async freeze() {
      put("freezer", state, frozen);
      while (!is_frozen()) await sleep(1);
    },
    thaw: () => put("freezer", state, thawed),
    throttled() {
      const stat = readFileSync(join(folder("cpu"), "cpu.stat"), "utf8");
      const value = (pattern: RegExp): number => Number(pattern.exec(stat)?.[1] ?? 0);
      const us =
        cgroup_version === 2 ? value(/^throttled_usec (\d+)$/m) : value(/^throttled_time (\d+)$/m) / 1000;
      return { times: value(/^nr_throttled (\d+)$/m), us };
    },
    close,
  };
}
