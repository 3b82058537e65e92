// The guard's page (struct page in guard.h), as processes see it that the guard did not start: who runs here, and whether it
// holds its lock. Nothing here writes it.

import { chmodSync, readdirSync, readFileSync, readlinkSync, readSync, statSync } from "node:fs";
import { stat_of } from "./kernel.ts";

/** deadline_ns: CLOCK_BOOTTIME; 0n: the tenure is over. */
export type Page = { tenure: bigint; deadline_ns: bigint; app_runs: boolean; environment: readonly string[] };

/** page: where to open it. id: the same for all who share it. */
export type LocalGuard = { pid: number; page: string; id: string };

const magic = 0x314547415048464cn;
const page_bytes = 8192;
/** Of struct page: where what is. test/guard/page.test.ts compares them with the header. */
const page_at = {
  magic: 0,
  tenure: 8,
  deadline_ns: 16,
  killing: 32,
  main_pid: 36,
  main_ended: 40,
  env_bytes: 68,
} as const;

/** null: not a page, or another version's. */
export function read_page(fd: number, with_environment = false): Page | null {
  const bytes = Buffer.alloc(page_at.env_bytes + 4);
  if (readSync(fd, bytes, 0, bytes.length, 0) < bytes.length) return null;
  if (bytes.readBigUInt64LE(page_at.magic) !== magic) return null;
  const u32 = (at: number): number => bytes.readUInt32LE(at);
  const app_runs = u32(page_at.main_pid) !== 0 && u32(page_at.main_ended) === 0 && u32(page_at.killing) === 0;
  const environment = with_environment ? read_strings(fd, u32(page_at.env_bytes)) : [];
  return {
    tenure: bytes.readBigUInt64LE(page_at.tenure),
    deadline_ns: bytes.readBigUInt64LE(page_at.deadline_ns),
    app_runs,
    environment,
  };
}

function read_strings(fd: number, length: number): string[] {
  const bytes = Buffer.alloc(length);
  const n = readSync(fd, bytes, 0, length, page_bytes);
  return bytes.toString("utf8", 0, n).split("\0").slice(0, -1);
}

/** Every guard of this user in this PID namespace: the outermost of those that share a page. */
export function local_guards(): LocalGuard[] {
  const all = processes().flatMap((pid) => {
    if (comm_of(pid) !== "leasehold" || !is_our_users(pid) || !is_in_this_namespace(pid)) return [];
    const page = page_of(pid);
    return page ? [{ pid, parent: parent_of(pid), ...page }] : [];
  });
  // Between fork and exec a child of the guard looks like the guard.
  const outermost = all.filter(
    (one) => !all.some((other) => other.id === one.id && other.pid === one.parent),
  );
  return outermost.map(({ pid, page, id }) => ({ pid, page, id }));
}

/** The guard's controller: its child in a session of its own that can read the page, and was renamed by nobody. */
export function controller_of({ pid: outer, id }: LocalGuard): number | null {
  const found = processes().find((pid) => {
    const comm = comm_of(pid);
    if (parent_of(pid) !== outer || comm === null || comm === "leasehold" || comm.startsWith("lh-"))
      return false;
    return page_of(pid)?.id === id;
  });
  return found ?? null;
}

/** Whether the process has a handler for this signal: without one it would die of it. */
export function catches(pid: number, signal: number): boolean {
  const [, mask = "0"] = /^SigCgt:\s*([0-9a-f]+)$/m.exec(read(`/proc/${pid}/status`) ?? "") ?? [];
  return ((BigInt(`0x${mask}`) >> BigInt(signal - 1)) & 1n) === 1n;
}

/**
 * The job guards that have this page open and are neither `but` nor its children: those of `leasehold exec`. A job guard is there
 * as long as anything of its command is alive; one that comes later starts nothing, if the tenure is over.
 */
export function strangers_at(id: string, but: readonly number[]): number[] {
  return processes().filter((pid) => {
    if (but.includes(pid)) return false;
    const comm = comm_of(pid);
    const is_job = comm === "lh-job" || comm === "leasehold"; // before it has renamed itself
    return is_job && page_of(pid)?.id === id && !but.includes(parent_of(pid));
  });
}

/**
 * The sticky bit of the page, which means nothing else, says that somebody beside the guard has begun to run commands under it.
 * To look for them takes tens of milliseconds, and a hand-over has to be quicker where nobody ever did.
 */
const sticky = 0o1000;

/** First the mark, then a look at the page: what is started after that is seen by whoever closed the tenure before. */
export function mark_used(page: string): void {
  chmodSync(page, (statSync(page).mode & 0o777) | sticky);
}

export function was_used(page: string): boolean {
  return (statSync(page).mode & sticky) !== 0;
}

/** By the descriptors of a process; null: it has none, or they aren't ours to see. */
export function page_of(pid: number | "self"): { page: string; id: string } | null {
  try {
    for (const fd of readdirSync(`/proc/${pid}/fd`)) {
      const page = `/proc/${pid}/fd/${fd}`;
      if (link(page) !== "/memfd:leasehold-page (deleted)") continue;
      const { dev, ino } = statSync(page);
      return { page, id: `${dev}:${ino}` };
    }
  } catch {
    // gone meanwhile, or another user's
  }
  return null;
}

/** Also those of namespaces below this one: other containers', on their machine. */
function processes(): number[] {
  const numbers = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return numbers.map(Number);
}

function is_in_this_namespace(pid: number): boolean {
  return link(`/proc/${pid}/ns/pid`) === link("/proc/self/ns/pid");
}

function is_our_users(pid: number): boolean {
  try {
    return statSync(`/proc/${pid}`).uid === process.geteuid?.();
  } catch {
    return false;
  }
}

/** Whether that process may look at this one's descriptors: the kernel asks for all of our capabilities. */
export function can_see_us(pid: number): boolean {
  const ours = capabilities("self");
  return (ours & capabilities(pid)) === ours;
}

function capabilities(pid: number | "self"): bigint {
  const [, mask = "0"] = /^CapPrm:\s*([0-9a-f]+)$/m.exec(read(`/proc/${pid}/status`) ?? "") ?? [];
  return BigInt(`0x${mask}`);
}

function comm_of(pid: number): string | null {
  return read(`/proc/${pid}/comm`)?.trimEnd() ?? null;
}

function parent_of(pid: number): number {
  return Number(stat_of(pid)?.[1]);
}

function link(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}

function read(path: string): string | null {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return null;
  }
}
