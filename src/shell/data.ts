// The app's data directory while this contender holds the lock: restored before the app starts, and what it held before that swept
// once the app has run for a while. All of it in jobs of the tenure.

import type { DataPlan } from "../config/data.ts";
import type { LockRecord } from "../core/record.ts";
import type { Time } from "../core/time.ts";
import { ms_to_ns } from "../core/time.ts";
import { describe_progress, type Progress } from "../backup/meter.ts";
import { run_work, type WorkJob } from "../restore/job.ts";
import type { StoreAt } from "../restore/request.ts";
import type { HookResult } from "./perform.ts";

export type DataOptions = {
  plan: DataPlan;
  node: string;
  /** Of the volume that the data lies on. */
  volume_id: () => string | null;
  time: Time;
  unset: readonly string[];
  set: Readonly<Record<string, string>>;
  on_note: (sentence: string) => void;
  on_warning: (sentence: string) => void;
};

/** The log gets a line of progress so often. */
const tell_every_ms = 5000;
/** For what is only looked at or removed. */
const sweep_timeout_ms = 3_600_000;

export class DataWork {
  readonly #options: DataOptions;
  #progress: Progress | null = null;
  #told_ms = 0;
  #cancel_sweep: () => void = () => {};

  constructor(options: DataOptions) {
    this.#options = options;
  }

  /** Of what is under way; null: nothing is. */
  get progress(): Progress | null {
    return this.#progress;
  }

  /** Under the lock, before the app is started. */
  async restore(tenure: bigint, token: bigint, previous: LockRecord | null): Promise<HookResult> {
    const { plan, node, volume_id, on_note } = this.#options;
    const { path, restore } = plan;
    const answer = await run_work(
      "restore",
      {
        ...{ data: path, node, first_boot: previous === null, token: String(token), volume_id: volume_id() },
        policy: { when: restore.when, without: restore.without, fallback: restore.fallback },
        ...{ store: store_of(plan), load: restore.load, check: restore.check },
      },
      this.#job(tenure, restore.timeout_ms),
      (said) => this.#said(said),
    );
    this.#progress = null;
    if (answer.how === "failed") return { failure: answer.because, alive: answer.alive };
    on_note(`data: ${answer.answer.because}`);
    return { failure: null, alive: false };
  }

  /** The app runs; what its directory held before a restore goes when it has done so for a while. */
  started(tenure: bigint): void {
    const { plan, time } = this.#options;
    this.#cancel_sweep();
    this.#cancel_sweep = time.after(plan.restore.keep_ms, () => void this.#sweep(tenure));
  }
  stopped(): void {
    this.#cancel_sweep();
    this.#cancel_sweep = () => {};
  }

  async #sweep(tenure: bigint): Promise<void> {
    const { plan, on_note, on_warning } = this.#options;
    const answer = await run_work(
      "sweep",
      { data: plan.path },
      this.#job(tenure, sweep_timeout_ms),
      () => {},
    );
    if (answer.how === "failed")
      on_warning(`what was kept from before the restore could not be removed: ${answer.because}`);
    else if (answer.answer.swept)
      on_note("the app has run for a while since the restore: what was kept from before is removed");
  }

  #job(tenure: bigint, timeout_ms: number): WorkJob {
    const { time, unset, set } = this.#options;
    const deadline_ns = time.now_ns() + ms_to_ns(timeout_ms);
    return {
      timeout_ms,
      deadline_ns,
      now_ns: () => time.now_ns(),
      tenure,
      page: true,
      app_env: true,
      unset,
      set,
    };
  }

  #said(said: { note: string } | { progress: Progress }): void {
    if ("note" in said) return this.#options.on_note(`data: ${said.note}`);
    this.#progress = said.progress;
    const { elapsed_ms } = said.progress;
    if (elapsed_ms < this.#told_ms) this.#told_ms = 0; // another piece of work
    if (elapsed_ms - this.#told_ms < tell_every_ms) return;
    this.#told_ms = elapsed_ms;
    this.#options.on_note(describe_progress(said.progress));
  }
}

/** null: backups are the commands' own business. */
function store_of({ store, app }: DataPlan): StoreAt | null {
  return store && app !== null ? { requirement: store, app } : null;
}
