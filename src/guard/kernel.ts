import { readFileSync } from "node:fs";

/** Since the machine's start, in ticks of its clock: with its number what tells a process from all others. null: it has ended. */
export function started_at(pid: number): string | null {
  const fields = stat_of(pid);
  return fields === null || /^[ZXx]/.test(fields[0] ?? "") ? null : (fields[19] ?? null);
}

/** proc_pid_stat(5) from the state on, which is the third. null: there is no such process. */
export function stat_of(pid: number): string[] | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return null;
  }
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

const read = (name: string): string => readFileSync(`/proc/sys/kernel/random/${name}`, "latin1").trim();

/** Of this start of the machine. */
export const boot_id = (): string => read("boot_id");

/** Random, of version 4. Node's own takes 4 ms of every start, because all of node:crypto comes with it. */
export const fresh_uuid = (): string => read("uuid");
