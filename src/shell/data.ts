// The app's data directory while this contender holds the lock: restored before the app starts, and what it held before that swept
// once the app has run for a while. All of it in jobs of the tenure.

import type { LockRecord } from "../core/record.ts";
import { describe_progress, Lines, type Progress } from "../backup/meter.ts";
import { run_work } from "../restore/job.ts";
import { type DataOptions, job_of, store_of } from "./data-job.ts";
import type { HookResult } from "./perform.ts";

/** For what is only looked at or removed. */
const sweep_timeout_ms = 3_600_000;

export class DataWork {
  readonly #options: DataOptions;
  #progress: Progress | null = null;
  readonly #lines = new Lines();
  #cancel_sweep: () => void = () => {};

  constructor(options: DataOptions) {
    this.#options = options;
  }

  /** Of what is under way; null: nothing is. */
  get progress(): string | null {
    return this.#progress && describe_progress(this.#progress);
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
      job_of(this.#options, tenure, restore.timeout_ms),
      (said) => this.#said(said),
    );
    this.#progress = null;
    if (answer.how === "failed") return { failure: answer.because, alive: answer.alive };
    on_note(`data: ${answer.answer.because}`);
    return { failure: null, alive: false };
  }

  /** The app is ready; what its directory held before a restore goes when it has done so for a while. */
  ready(tenure: bigint): void {
    const { plan, time } = this.#options;
    this.#cancel_sweep();
    this.#cancel_sweep = time.after(plan.restore.keep_ms, () => void this.#sweep(tenure));
  }
  unready(): void {
    this.#cancel_sweep();
    this.#cancel_sweep = () => {};
  }

  async #sweep(tenure: bigint): Promise<void> {
    const { plan, on_note, on_warning } = this.#options;
    const answer = await run_work(
      "sweep",
      { data: plan.path },
      job_of(this.#options, tenure, sweep_timeout_ms),
      () => {},
    );
    if (answer.how === "failed")
      on_warning(`what was kept from before the restore could not be removed: ${answer.because}`);
    else if (answer.answer.swept)
      on_note("the app has run for a while since the restore: what was kept from before is removed");
  }

  #said(said: { note: string } | { progress: Progress }): void {
    if ("note" in said) return this.#options.on_note(`data: ${said.note}`);
    this.#progress = said.progress;
    const line = this.#lines.of(said.progress);
    if (line !== null) this.#options.on_note(line);
  }
}
