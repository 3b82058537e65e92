import { readdirSync, readFileSync } from "node:fs";

/** A process as /proc/PID/stat shows it. pid and start_time together name it for good. */
export type Process = {
  pid: number;
  comm: string;
  state: string;
  ppid: number;
  pgrp: number;
  start_time: number;
};

export function read_process(pid: number): Process | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  const open = text.indexOf("(");
  const close = text.lastIndexOf(")");
  const fields = text.slice(close + 2).split(" ");
  return {
    pid,
    comm: text.slice(open + 1, close),
    state: fields[0] ?? "",
    ppid: Number(fields[1]),
    pgrp: Number(fields[2]),
    start_time: Number(fields[19]),
  };
}

export function all_processes(): Process[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => read_process(Number(name)))
    .filter((process) => process !== undefined);
}

/** Every living descendant, parents before children. */
export function descendants(pid: number): Process[] {
  const everyone = all_processes();
  const found: Process[] = [];
  const look = (parent: number): void => {
    for (const child of everyone.filter(({ ppid }) => ppid === parent)) {
      found.push(child);
      look(child.pid);
    }
  };
  look(pid);
  return found;
}

/** Still there with the same start time, and not only as a zombie. */
export function is_alive({ pid, start_time }: Process): boolean {
  const now = read_process(pid);
  return now !== undefined && now.start_time === start_time && now.state !== "Z" && now.state !== "X";
}
