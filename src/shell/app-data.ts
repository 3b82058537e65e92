// The app's data directory under the lock, before the app is started: looked at, and freed of lock files that nobody holds. What it means is
// config/profiles/judge.ts's. No file operation on it runs in the controller.

import { readFileSync } from "node:fs";
import type { Config } from "../config/load.ts";
import { profiles } from "../config/profiles/all.ts";
import { data_directory, judge_data, mismatch, type ProcessKind } from "../config/profiles/judge.ts";
import type { Profile } from "../config/profiles/profile.ts";
import { quoted } from "../config/quoted.ts";
import { ms_to_ns, type Time } from "../core/time.ts";
import { ms } from "../core/timing.ts";
import { type Operation, run_probe } from "../guard/probe.ts";
import type { ProbeResult } from "../guard/probe-result.ts";
import type { Log } from "../ops/log.ts";
import type { HookResult } from "./perform.ts";

export type AppDataOptions = {
  config: Pick<Config, "profile" | "data">;
  /** The app's. */
  command: readonly string[];
  volumes: { is_network: (path: string) => boolean };
  time: Time;
  log: Pick<Log, "info" | "warn">;
};

/** Each of its jobs may take so long. */
const limit_ms = 10_000;

const names_max = 10_000;
/** A lock file is a few lines; a configuration may be long, and the rest of a longer one isn't looked at. */
const file_max_bytes = 262_144;

type Done = { result: ProbeResult } | { end: HookResult };

export class AppData {
  readonly #options: AppDataOptions;

  /** Says at once when the command is another app's than the profile's. */
  constructor(options: AppDataOptions) {
    this.#options = options;
    const { config, command, log } = options;
    const other = config.profile && mismatch(config.profile, command);
    if (other !== null) log.warn(other);
  }

  async prepare(tenure: bigint): Promise<HookResult> {
    const { config, command, volumes, log } = this.#options;
    const good: HookResult = { failure: null, alive: false };
    const name = config.profile ?? "generic";
    const { app, data }: Profile = profiles[name];
    if (!data) return good;
    const directory = data_directory(name, config.data?.path ?? null, command);
    if (directory === null) {
      log.warn(`where ${app} keeps its data isn't known, so nothing of it was looked at; give --data`);
      return good;
    }
    const probe = (operation: Operation): Promise<Done> => this.#probe(operation, directory, tenure);
    const listed = await probe({ do: "list", path: directory, max: names_max });
    if ("end" in listed) return listed.end;
    const { error, content } = listed.result;
    if (error !== undefined && error !== "ENOENT") {
      log.warn(`${quoted(directory)} can't be looked at (${error}), so nothing of ${app}'s data was checked`);
      return good;
    }
    const names = error === undefined ? content.toString().split("\0").slice(0, -1) : null;
    const files = new Map<string, string>();
    for (const file of [data.version?.files ?? [], data.stale, data.settings].flat()) {
      if (names?.includes(file) !== true) continue;
      const read = await probe({ do: "read", path: `${directory}/${file}`, max: file_max_bytes });
      if ("end" in read) return read.end;
      if (read.result.error === undefined) files.set(file, read.result.content.toString());
    }
    const { refusal, remove, warnings, notes } = judge_data(name, {
      ...{ directory, names, files, command, process: kind_of_process },
      network: volumes.is_network(directory),
      image_version: (data.version && process.env[data.version.variable]) ?? null,
    });
    for (const note of notes) log.info(note);
    for (const warning of warnings) log.warn(warning);
    if (refusal !== null) return { failure: refusal, alive: false };
    for (const { file, because } of remove) {
      const removed = await probe({ do: "unlink", path: `${directory}/${file}` });
      if ("end" in removed) return removed.end;
      const failed = removed.result.error;
      const path = quoted(`${directory}/${file}`);
      log.warn(failed === undefined ? because : `${path} is stale, and can't be removed (${failed})`);
    }
    return good;
  }

  async #probe(operation: Operation, directory: string, tenure: bigint): Promise<Done> {
    const { time } = this.#options;
    const now_ns = (): bigint => time.now_ns();
    const deadline_ns = now_ns() + ms_to_ns(limit_ms);
    const { end, results } = await run_probe([operation], { deadline_ns, now_ns, tenure, page: true });
    const [result] = results;
    if (result) return { result };
    const failure = `${quoted(directory)} did not answer within ${ms(limit_ms)}; see docs/storage.md`;
    return { end: { failure, alive: end.how === "undead" } };
  }
}

/** In this PID namespace, which is the app's. A thread's number counts as its process's, as it does for kill(2). */
function kind_of_process(pid: number): ProcessKind {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    const [, name = ""] = /^Name:\t(.*)$/m.exec(status) ?? [];
    const group = Number(/^Tgid:\t(\d+)$/m.exec(status)?.[1]);
    const ours = group === process.pid || group === process.ppid || name.startsWith("lh-");
    return ours ? "ours" : "other";
  } catch {
    return "none";
  }
}
