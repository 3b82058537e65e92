// Backups while this contender holds the lock and its app runs, by a schedule, and the last one after a requested stop. One at a time.
// A failure is loud, and neither stops the app nor makes it count as not alive.

import { whole_newest_first } from "../backup/catalogue.ts";
import { describe } from "../backup/manifest.ts";
import { describe_progress, Lines, type Progress } from "../backup/meter.ts";
import { due_in_ms } from "../backup/schedule.ts";
import { describe_size } from "../config/sizes.ts";
import { ms_between } from "../core/time.ts";
import { ms } from "../core/timing.ts";
import type { BackupStatus } from "../ops/status.ts";
import { type Answer, run_work } from "../restore/job.ts";
import type { Work } from "../restore/request.ts";
import { type DataOptions, job_of, store_of } from "./data-job.ts";
import type { HookResult } from "./perform.ts";

/** For a look at what is in the store. */
const list_timeout_ms = 60_000;

type Running = { abort: AbortController; ended: Promise<void>; progress: Progress | null };

export class Backups {
  readonly #options: DataOptions;
  readonly #counts = { ok: 0, failed: 0, skipped: 0 };
  #last: BackupStatus["last"] = null;
  #failure: string | null = null;
  #not_advanced: string | null = null;
  /** When the last good one was begun, in wall-clock time, like its age. */
  #good_ms: number | null = null;
  #started_ms: number | null = null;
  #due_ms: number | null = null;
  #cancel: () => void = () => {};
  #running: Running | null = null;
  #ready = false;
  /** Whose app has been ready. */
  #tenure: bigint | null = null;
  #stop_by_ns: bigint | null = null;

  constructor(options: DataOptions) {
    this.#options = options;
  }

  status(): BackupStatus {
    const now_ms = Date.now();
    const since_ms = this.#good_ms ?? this.#started_ms;
    return {
      ...this.#counts,
      last: this.#last,
      failure: this.#failure,
      not_advanced: this.#not_advanced,
      at_risk_ms: this.#started_ms === null || since_ms === null ? null : Math.max(0, now_ms - since_ms),
      next_in_ms: this.#due_ms === null ? null : Math.max(0, this.#due_ms - now_ms),
      progress: this.#running?.progress ? describe_progress(this.#running.progress) : null,
    };
  }

  /** The app is ready: for the first time of this tenure, or again. */
  async ready(tenure: bigint): Promise<void> {
    this.#ready = true;
    if (this.#tenure === tenure) return;
    this.#tenure = tenure;
    this.#started_ms = Date.now();
    await this.#look(tenure);
    if (this.#tenure === tenure) await this.#wait(tenure, false);
  }
  /** What is due is left out until it is ready again. */
  unready(): void {
    this.#ready = false;
  }
  /** The app ends: what is under way would read what it leaves half written. stop_by_ns: when it is killed. */
  stopped(stop_by_ns: bigint | null): void {
    this.#tenure = null;
    this.#started_ms = null;
    this.#due_ms = null;
    this.#stop_by_ns = stop_by_ns;
    this.#cancel();
    if (!this.#running) return;
    // Said now: leasehold may have ended before the backup has.
    this.#options.on_note("the backup under way is stopped with the app");
    this.#running.abort.abort();
  }

  /** After a requested stop, the app dead and flushed: of the data directory itself, within what is left of the stop's time. */
  async final(tenure: bigint): Promise<HookResult> {
    const { plan, time } = this.#options;
    await this.#running?.ended;
    const left_ms = this.#stop_by_ns === null ? 0 : ms_between(time.now_ns(), this.#stop_by_ns);
    if (left_ms <= 0) return { failure: "no time was left for it; lengthen --stop-timeout", alive: false };
    const dump = plan.store ? null : plan.backup.dump;
    const answer = await this.#make(tenure, dump, Math.min(left_ms, plan.backup.timeout_ms), true);
    return answer.how === "done"
      ? { failure: null, alive: false }
      : { failure: answer.because, alive: answer.alive };
  }

  /** What was made before, also by others. */
  async #look(tenure: bigint): Promise<void> {
    const store = store_of(this.#options.plan);
    if (!store) return;
    const answer = await run_work(
      "list",
      { store },
      job_of(this.#options, tenure, list_timeout_ms),
      () => {},
    );
    if (answer.how === "failed") {
      if (this.#tenure === tenure)
        this.#options.on_warning(`the backups can't be looked at: ${answer.because}`);
      return;
    }
    const [newest] = whole_newest_first(answer.answer.backups);
    if (!newest) return;
    const { id, created, bytes, took_ms } = newest.manifest;
    this.#last = { id, at: created, bytes, took_ms };
    this.#good_ms = Date.parse(created);
  }

  async #wait(tenure: bigint, failed: boolean): Promise<void> {
    const { time, plan } = this.#options;
    const { schedule, jitter_ms } = plan.backup;
    if (!schedule) return;
    const now_ms = Date.now();
    const due_ms =
      (await due_in_ms(schedule, { good_ms: this.#good_ms, failed }, now_ms)) + Math.random() * jitter_ms;
    if (this.#tenure !== tenure || !Number.isFinite(due_ms)) return;
    this.#due_ms = now_ms + due_ms;
    this.#cancel();
    this.#cancel = time.after(due_ms, () => void this.#due(tenure));
  }

  async #due(tenure: bigint): Promise<void> {
    if (this.#tenure !== tenure) return;
    if (this.#running || !this.#ready) {
      this.#skipped(this.#running ? "the one before it still runs" : "the app is not ready");
      return this.#wait(tenure, true);
    }
    const { dump, timeout_ms } = this.#options.plan.backup;
    const making = this.#make(tenure, dump, timeout_ms, false);
    // A cron pattern goes on while it runs, an interval begins with it.
    const { schedule } = this.#options.plan.backup;
    if (schedule && "cron" in schedule) await this.#wait(tenure, false);
    const answer = await making;
    const is_made = answer.how === "done" && answer.answer.did === "made";
    if (schedule && "every_ms" in schedule) await this.#wait(tenure, !is_made);
  }

  #skipped(why: string): void {
    this.#counts.skipped++;
    this.#options.on_warning(`a backup is due, and ${why}: this one is left out`);
  }

  async #make(
    tenure: bigint,
    dump: readonly string[] | null,
    timeout_ms: number,
    wait: boolean,
  ): Promise<Answer<Work["backup"]["answer"]>> {
    const { plan, node, on_note, on_warning } = this.#options;
    const { keep, keep_for_ms } = plan.backup;
    const begun_ms = Date.now();
    const abort = new AbortController();
    let end: () => void = () => {};
    const running: Running = {
      abort,
      ended: new Promise((resolve) => (end = resolve)),
      progress: null,
    };
    this.#running = running;
    const lines = new Lines();
    const answer = await run_work(
      "backup",
      { data: plan.path, store: store_of(plan), node, dump, retention: { keep, keep_for_ms }, wait },
      { ...job_of(this.#options, tenure, timeout_ms), abort: abort.signal },
      (said) => {
        if ("note" in said) return on_note(`backup: ${said.note}`);
        running.progress = said.progress;
        const line = lines.of(said.progress);
        if (line !== null) on_note(line);
      },
    );
    this.#running = null;
    end();
    if (answer.how === "failed") {
      if (abort.signal.aborted) return answer;
      this.#counts.failed++;
      this.#failure = answer.because;
      on_warning(`the backup failed: ${answer.because}`);
      return answer;
    }
    if (answer.answer.did === "nothing") {
      this.#skipped("another one is under way");
      return answer;
    }
    const { manifest, pruned, not_advanced } = answer.answer;
    this.#counts.ok++;
    this.#failure = null;
    this.#good_ms = begun_ms;
    const took_ms = manifest?.took_ms ?? Date.now() - begun_ms;
    this.#last = {
      id: manifest?.id ?? null,
      at: new Date(begun_ms).toISOString(),
      bytes: manifest?.bytes ?? null,
      took_ms,
    };
    const what = manifest
      ? `${describe(manifest)}, ${describe_size(manifest.bytes)} in ${manifest.entries} entries`
      : "by the command";
    on_note(`backed up: ${what}, in ${ms(took_ms)}`);
    if (not_advanced !== null) on_warning(not_advanced);
    this.#not_advanced = not_advanced;
    if (pruned.length > 0) on_note(`backups that are not to be kept any more are gone: ${pruned.join(", ")}`);
    return answer;
  }
}
