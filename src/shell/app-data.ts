// The app's data directory under the lock, before the app is started: looked at, and freed of lock files that nobody holds. What it means is
// config/profiles/judge.ts's. No file operation on it runs in the controller.

import type { Config } from "../config/load.ts";
import { profiles } from "../config/profiles/all.ts";
import { data_directory, judge_data, mismatch } from "../config/profiles/judge.ts";
import type { Profile } from "../config/profiles/profile.ts";
import { quoted } from "../config/quoted.ts";
import { ms_to_ns, type Time } from "../core/time.ts";
import { ms } from "../core/timing.ts";
import { type Operation, run_probe } from "../guard/probe.ts";
import type { Log } from "../ops/log.ts";
import { look_at_data, type Probed } from "./data-facts.ts";
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

type Done = Probed<HookResult>;

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
    const network = volumes.is_network(directory);
    const looked = await look_at_data({ profile: name, directory, command, network }, (operation) =>
      this.#probe(operation, directory, tenure),
    );
    if ("end" in looked) return looked.end;
    if ("unseen" in looked) {
      log.warn(looked.unseen);
      return good;
    }
    const { refusal, remove, warnings, notes } = judge_data(name, looked.facts);
    for (const note of notes) log.info(note);
    for (const warning of warnings) log.warn(warning);
    if (refusal !== null) return { failure: refusal, alive: false };
    for (const { file, because } of remove) {
      const removed = await this.#probe({ do: "unlink", path: `${directory}/${file}` }, directory, tenure);
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
