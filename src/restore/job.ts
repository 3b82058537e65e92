// Work on data and store, each in a job under a deadline: the caller never waits in a system call of its own.

import { malloc_environment } from "../backup/memory.ts";
import { ms } from "../core/timing.ts";
import { guard_path, type JobEnd, type JobOptions, run_job } from "../guard/job.ts";
import type { Kind, Said, Work } from "./request.ts";

export type WorkJob = Omit<JobOptions, "command" | "input" | "on_output"> & { timeout_ms: number };

/** failed: one sentence that ends with the remedy. alive: something of it can't be killed. */
export type Answer<T> = { how: "done"; answer: T } | { how: "failed"; because: string; alive: boolean };

/** Asks for one piece of work. said: its notes and progress, as they come. Never rejects for what the storage does. */
export async function run_work<K extends Kind>(
  what: K,
  ask: Work[K]["ask"],
  job: WorkJob,
  said: (said: Extract<Said, { note: string }> | Extract<Said, { progress: object }>) => void,
): Promise<Answer<Work[K]["answer"]>> {
  let rest = "";
  const told: { done?: Work[K]["answer"]; failed?: string; last: string } = { last: "" };
  const line = (text: string): void => {
    const one = parse(text);
    if (one === null) told.last = text;
    else if ("done" in one) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by the same program, work.ts
      told.done = one.done as Work[K]["answer"];
    } else if ("failed" in one) told.failed = one.failed;
    else said(one);
  };
  const { end } = await run_job({
    ...job,
    set: { ...job.set, ...malloc_environment },
    command: [job.guard ?? guard_path(), "work"],
    input: JSON.stringify({ do: what, ...ask }),
    on_output(chunk) {
      const lines = (rest + chunk.toString()).split("\n");
      rest = lines.pop() ?? "";
      for (const text of lines) line(text);
    },
  });
  if (rest !== "") line(rest);
  const alive = end.how === "undead";
  if (told.failed !== undefined) return { how: "failed", because: told.failed, alive };
  if (told.done !== undefined && !alive) return { how: "done", answer: told.done };
  return { how: "failed", because: what_happened(end, job.timeout_ms, told.last), alive };
}

function parse(text: string): Said | null {
  if (!text.startsWith("{")) return null;
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by the same program, work.ts
    return JSON.parse(text) as Said;
  } catch {
    return null;
  }
}

function what_happened(end: JobEnd, timeout_ms: number, last: string): string {
  const said = last === "" ? "" : ` and said: ${last.slice(0, 300)}`;
  switch (end.how) {
    case "exit":
      return `its process ended with code ${end.value}${said}; see the log`;
    case "signal":
      return `its process ended by signal ${end.value}${said}; see the log`;
    case "not_executed":
    case "not_forked":
      return `its process can't be executed (errno ${end.value}); the installation is not complete`;
    case "killed":
      return end.why === "deadline"
        ? `it was killed: it took longer than ${ms(timeout_ms)}, or the lease had ended; give it more time, or see what it waits for`
        : "it was stopped; it is begun anew the next time";
    case "undead":
      return `process ${end.pid} of it can't be killed (state ${end.state}); see the storage`;
  }
}
