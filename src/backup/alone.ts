// One backup of the same data at a time, whoever began it. Each says so by a file beside the data, named after its process, before it
// looks for those of others: two that begin at once may both give way, and never both go on. What a killed one leaves is no process's.

import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { boot_id, started_at } from "../guard/kernel.ts";

const prefix = "backing-up-";

/**
 * null: another one is under way, and this one is not to wait for its end. work: leasehold's folder beside the data, which only the
 * holder writes to, so that all of them are on one machine and in one namespace.
 */
export async function alone<T>(work: string, patient: boolean, make: () => Promise<T>): Promise<T | null> {
  const own = name_of(process.pid) ?? "";
  const path = join(work, own);
  try {
    for (;;) {
      writeFileSync(path, "");
      if (!others_run(work, own)) return await make();
      rmSync(path);
      if (!patient) return null;
      await sleep(100 + Math.random() * 400);
    }
  } finally {
    rmSync(path, { force: true });
  }
}

/** null: there is no such process. */
function name_of(pid: number): string | null {
  const started = started_at(pid);
  return started === null ? null : `${prefix}${pid}-${started}-${boot_id()}`;
}

function others_run(work: string, own: string): boolean {
  const others = readdirSync(work).filter((name) => name.startsWith(prefix) && name !== own);
  const running = others.filter(is_running);
  for (const name of others) if (!running.includes(name)) rmSync(join(work, name), { force: true });
  return running.length > 0;
}

/** The same number may be another process's by now, or have been one of another start of the machine. */
function is_running(name: string): boolean {
  return name_of(Number.parseInt(name.slice(prefix.length), 10)) === name;
}
