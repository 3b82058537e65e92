// What the commands about backups have in common: which store, a job for each piece of work, and how far it is.

import type { Command } from "commander";
import { describe_progress, Lines, type Progress } from "../backup/meter.ts";
import type { Settings } from "../config/load.ts";
import { name_of, read_name, read_store } from "../config/data.ts";
import { ms_to_ns } from "../core/time.ts";
import { RestoreFailed, UsageError } from "../errors.ts";
import { boot_clock } from "../guard/boot-clock.ts";
import { run_work, type WorkJob } from "../restore/job.ts";
import type { Kind, StoreAt, Work } from "../restore/request.ts";
import type { OptionName } from "../config/options.ts";
import { read_settings } from "./options.ts";
import { type Terminal, warn_all } from "./terminal.ts";

export const store_options = [
  "backup-store",
  "backup-name",
  "lock",
  "config",
  "node",
] as const satisfies OptionName[];

export async function settings_of(command: Command, terminal: Terminal): Promise<Settings> {
  const settings = await read_settings(command);
  warn_all(terminal, settings);
  return settings;
}

export function store_of({ given, node }: Settings): StoreAt {
  const { values } = given;
  const requirement = read_store(values, { node, env: process.env });
  if (requirement === null) throw new UsageError("no store is given", "", "give --backup-store, or --config");
  const name = values["backup-name"];
  const app = name === undefined ? name_of(values.lock) : read_name(name);
  if (app === null) throw new UsageError("whose backups is not known", "", "give --backup-name, or --lock");
  return { requirement, app };
}

/** Throws RestoreFailed with what it says. */
export async function do_work<K extends Kind>(
  what: K,
  ask: Work[K]["ask"],
  timeout_ms: number,
  terminal: Terminal,
): Promise<Work[K]["answer"]> {
  const show = shower(terminal);
  const answer = await run_work(what, ask, await plain_job(timeout_ms), show.said).finally(show.end);
  if (answer.how === "failed") throw new RestoreFailed(answer.because, what);
  return answer.answer;
}

/** Of no tenure: nothing but its time ends it. */
export async function plain_job(timeout_ms: number): Promise<WorkJob> {
  const clock = await boot_clock();
  const deadline_ns = clock.now_ns() + ms_to_ns(timeout_ms);
  return { timeout_ms, deadline_ns, now_ns: () => clock.now_ns() };
}

const bar_width = 24;

/** On a terminal one line that is written over, else a line from time to time; both on standard error. */
export function shower(
  { warn }: Terminal,
  tty = process.stderr.isTTY,
): { said: (said: { note: string } | { progress: Progress }) => void; end: () => void } {
  const lines = new Lines();
  let drawn = false;
  const clear = (): void => {
    if (drawn) process.stderr.write("\r\u001b[K");
    drawn = false;
  };
  return {
    said(said) {
      if ("note" in said) {
        clear();
        return warn(said.note);
      }
      const { progress } = said;
      if (tty) {
        process.stderr.write(`\r\u001b[K${bar(progress)} ${describe_progress(progress)}`);
        drawn = true;
        return;
      }
      const line = lines.of(progress);
      if (line !== null) warn(line);
    },
    end: clear,
  };
}

/** [######....] */
function bar({ bytes, total }: Progress): string {
  if (total === null || total === 0) return "";
  const filled = Math.min(bar_width, Math.floor((bar_width * bytes) / total));
  return `[${"#".repeat(filled)}${".".repeat(bar_width - filled)}]`;
}
