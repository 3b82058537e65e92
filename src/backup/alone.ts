// One backup of the same data at a time, whoever began it. Each says so by a file beside the data, named after its process, before it
// looks for those of others: two that begin at once may both give way, and never both go on. What a killed one leaves is no process's.

import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { boot_id, started_at } from "../guard/kernel.ts";
import { read } from "./store.ts";

const prefix = "backing-up-";

export type Alone = {
  /** What those were making that were killed on this machine. Another machine may have ended its own well, and this one not see it yet. */
  left: readonly string[];
  /** Says what this one makes, for who finds it killed. */
  makes: (what: string) => void;
};

/**
 * null: another one is under way, and this one is not to wait for its end. work: leasehold's folder beside the data, which only the
 * holder writes to, so that all of them are on one machine and in one namespace.
 */
export async function alone<T>(
  work: string,
  patient: boolean,
  make: (given: Alone) => Promise<T>,
): Promise<T | null> {
  const own = name_of(process.pid) ?? "";
  const path = join(work, own);
  try {
    for (;;) {
      writeFileSync(path, "");
      const others = others_in(work, own);
      const dead = others.filter((name) => !is_running(name));
      if (dead.length === others.length) {
        const made = await make({ left: left_by(work, dead), makes: (what) => writeFileSync(path, what) });
        for (const name of dead) rmSync(join(work, name), { force: true });
        return made;
      }
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

function others_in(work: string, own: string): string[] {
  return readdirSync(work).filter((name) => name.startsWith(prefix) && name !== own);
}

function left_by(work: string, dead: readonly string[]): string[] {
  const here = dead.filter((name) => name.endsWith(`-${boot_id()}`));
  return here.map((name) => read(join(work, name))?.toString() ?? "").filter((what) => what !== "");
}

/** The same number may be another process's by now, or have been one of another start of the machine. */
function is_running(name: string): boolean {
  return name_of(Number.parseInt(name.slice(prefix.length), 10)) === name;
}
