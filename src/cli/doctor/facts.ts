// What a container gives leasehold, read from /proc and /sys; nothing is changed, and what isn't there is null.

import { existsSync, readFileSync, readlinkSync } from "node:fs";
import { release } from "node:os";

export type Facts = {
  kernel: string;
  uid: number;
  /** The number that /proc gives this process, and the one that it has. */
  proc_pid: number | null;
  pid: number;
  /** The first process's name in this PID namespace. */
  first: string | null;
  /** Effective, as bits. */
  capabilities: bigint;
  no_new_privs: boolean;
  /** /proc/PID/task/TID/children is there. */
  lists_children: boolean;
  rtprio: number;
  memlock_bytes: number;
  /** Processors' worth of time; null: no limit. */
  cpus: number | null;
  pids_max: number | null;
  oom_group: boolean;
};

const infinite = Number.POSITIVE_INFINITY;

export function read_facts(): Facts {
  const status = read("/proc/self/status") ?? "";
  const field = (name: string): string => new RegExp(`^${name}:\\s*(\\S+)`, "m").exec(status)?.[1] ?? "0";
  const limits = read("/proc/self/limits") ?? "";
  const limit = (name: string): number => {
    const [, soft = "0"] = new RegExp(`^${name}\\s+(\\S+)`, "m").exec(limits) ?? [];
    return soft === "unlimited" ? infinite : Number(soft);
  };
  return {
    kernel: release(),
    uid: process.getuid?.() ?? 0,
    proc_pid: number(link("/proc/self")),
    pid: process.pid,
    // As a container's own command it is in leasehold's place.
    first: process.pid === 1 ? "leasehold" : (read("/proc/1/comm")?.trim() ?? null),
    capabilities: BigInt(`0x${field("CapEff")}`),
    no_new_privs: field("NoNewPrivs") === "1",
    lists_children: existsSync("/proc/thread-self/children"),
    rtprio: limit("Max realtime priority"),
    memlock_bytes: limit("Max locked memory"),
    cpus: cpus(),
    pids_max: number(read("/sys/fs/cgroup/pids.max") ?? read("/sys/fs/cgroup/pids/pids.max")),
    oom_group: read("/sys/fs/cgroup/memory.oom.group")?.trim() === "1",
  };
}

/** cgroup v2 has both numbers in one file. */
function cpus(): number | null {
  const [quota, period] = read("/sys/fs/cgroup/cpu.max")?.trim().split(" ") ?? [
    read("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"),
    read("/sys/fs/cgroup/cpu/cpu.cfs_period_us"),
  ];
  const share = Number(quota ?? NaN) / Number(period ?? NaN);
  return share > 0 && share < infinite ? share : null;
}

function number(text: string | undefined): number | null {
  return text !== undefined && /^\d+\s*$/.test(text) ? Number(text) : null;
}
function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
function link(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
