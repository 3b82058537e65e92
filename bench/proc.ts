// Processes and cgroups by /proc and /sys. Whatever the benchmarks start is written down here, and ended at the exit of
// the program however that comes about, each process by its own pid and only if its start time is still the same.

import { existsSync, mkdirSync, readFileSync, readdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface Proc {
  readonly pid: number;
  readonly ppid: number;
  readonly comm: string;
  readonly state: string;
  readonly start: string;
}

/** Null: there is no such process. */
export function look(pid: number): Proc | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return null;
  }
  const end = stat.lastIndexOf(")");
  const fields = stat.slice(end + 2).split(" ");
  const [state = "", ppid = ""] = fields;
  return {
    pid,
    ppid: Number(ppid),
    comm: stat.slice(stat.indexOf("(") + 1, end),
    state,
    start: fields[19] ?? "",
  };
}

/** The process and all that descend from it, dead ones left out. */
export function descent(root: number): Proc[] {
  const all = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => look(Number(name)))
    .filter((proc) => proc !== null);
  const found = all.filter((proc) => proc.pid === root);
  for (const parent of found) found.push(...all.filter((proc) => proc.ppid === parent.pid));
  return found.filter(alive);
}

const alive = (proc: Proc): boolean => proc.state !== "Z" && proc.state !== "X";

/** Whether it is still the same one, and no zombie. */
export function isAlive({ pid, start }: Proc): boolean {
  const now = look(pid);
  return now !== null && now.start === start && alive(now);
}

const started = new Map<number, string>();

/** To be ended at the exit, if it is still there. */
export function remember(procs: readonly Proc[]): void {
  for (const { pid, start } of procs) started.set(pid, start);
}

/** Ends what is left of these, and says who that was. */
export function end(pids: Iterable<number> = started.keys()): Proc[] {
  const left: Proc[] = [];
  for (const pid of Array.from(pids)) {
    const proc = look(pid);
    if (proc && proc.start === started.get(pid) && isAlive(proc)) {
      process.kill(pid, "SIGKILL");
      left.push(proc);
    }
    started.delete(pid);
  }
  return left;
}

const cgroups = new Set<string>();

/** Null: this machine has no such cgroup v1 controller, or we may not use it. */
export function makeCgroup(controller: "cpu" | "freezer"): string | null {
  const parent = join("/sys/fs/cgroup", controller);
  if (process.getuid?.() !== 0 || !existsSync(join(parent, "cgroup.procs"))) return null;
  const path = join(parent, `leasehold-bench-${process.pid}`);
  mkdirSync(path);
  cgroups.add(path);
  return path;
}

/** Ends whoever is in it; all of them are ours. */
export function removeCgroup(path: string): void {
  const state = join(path, "freezer.state");
  if (existsSync(state)) writeFileSync(state, "THAWED");
  const members = readFileSync(join(path, "cgroup.procs"), "utf8").trim();
  for (const pid of members.split("\n")) if (pid !== "") process.kill(Number(pid), "SIGKILL");
  for (let attempt = 0; ; attempt++) {
    try {
      rmdirSync(path); // busy until the last one is reaped
      break;
    } catch (error) {
      if (attempt === 100) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
  cgroups.delete(path);
}

process.on("exit", () => {
  for (const path of cgroups) removeCgroup(path);
  end();
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => process.exit(1));
}
