// The volumes of one contender: looked at before it contends, attached and checked under the lock, watched while the app runs,
// flushed and detached when it is dead. What a verdict means is storage's; what follows from it is the core's.

import type { AttachPlan } from "../config/attach.ts";
import { volume_at, type VolumeRequirement } from "../config/volume.ts";
import type { LockRecord } from "../core/record.ts";
import type { Time } from "../core/time.ts";
import { ms } from "../core/timing.ts";
import { LockUnknown, VolumeFailed } from "../errors.ts";
import { fresh_uuid } from "../guard/kernel.ts";
import { run_probe } from "../guard/probe.ts";
import type { VolumeStatus } from "../ops/status.ts";
import { Attachment } from "../storage/attach.ts";
import { check_volume, twins_among } from "../storage/check.ts";
import type { VolumeReport } from "../storage/report.ts";
import { label_volume } from "../storage/label.ts";
import type { JobKind } from "../storage/probing.ts";
import type { LossHow } from "../storage/verdict.ts";
import { VolumeWatch } from "../storage/watch.ts";
import type { HookResult } from "./perform.ts";

export type VolumesOptions = {
  requirements: readonly VolumeRequirement[];
  /** How the first one comes to this machine; null: it has to be there. */
  attach: AttachPlan | null;
  /** leasehold's own variables, which no command gets, and those that each does. */
  unset: readonly string[];
  set: Readonly<Record<string, string>>;
  instance: string;
  /** The length of a volume lease on what is labelled here. */
  ttl_ms: number;
  time: Time;
  on_note: (sentence: string) => void;
  /** The app's volume is lost: which tenure's, why, and what is to be done. */
  on_lost: (tenure: bigint, because: string, how: LossHow) => void;
};

/** Labels are given only where nobody has ever had a volume: no record beside the lock, or one that names none. */
const has_no_volume = (record: LockRecord | null): boolean => record === null || record.volume_id === null;

/** Under the lock it dies with the tenure. */
const job_of = (tenure: bigint | undefined): JobKind => (tenure === undefined ? {} : { tenure, page: true });

export class Volumes {
  readonly #options: VolumesOptions;
  #reports: readonly VolumeReport[] = [];
  #watches: VolumeWatch[] = [];
  readonly #attachment: Attachment | null;

  constructor(options: VolumesOptions) {
    this.#options = options;
    const { attach: plan, time, on_note, unset, set } = options;
    const on_line = (step: string, line: string): void => on_note(`${step}: ${line}`);
    this.#attachment = plan && new Attachment({ plan, time, on_line, unset, set });
  }

  /** The last look at each, in the order of the requirements; empty before the first. */
  get reports(): readonly VolumeReport[] {
    return this.#reports;
  }
  status(): VolumeStatus[] {
    return this.#reports.map(({ verdict, because, id, free_bytes, took_ms }, index) => {
      const path = this.#options.requirements[index]?.path ?? "";
      return { path, id, verdict, because, free_bytes, took_ms: Math.round(took_ms) };
    });
  }
  /** Whether a path lies on storage that other machines may have, too, as far as a volume that is required says. */
  is_network(path: string): boolean {
    const { requirements } = this.#options;
    return this.#reports.some(({ kind }, index) => {
      const root = requirements[index]?.path ?? "";
      return kind?.network === true && (path === root || path.startsWith(`${root}/`));
    });
  }
  /** What the record beside the lock remembers of them: their ids. null: there is none yet. */
  get ids(): string | null {
    const ids = this.#reports.map(({ id }) => id);
    return ids.length > 0 && ids.every((id) => id !== null) ? ids.join(",") : null;
  }

  /** The id of the one that a path lies on; null: it lies on none, or that isn't known. */
  id_at(path: string): string | null {
    const volume = volume_at(this.#options.requirements, path);
    return volume ? (this.#reports[this.#options.requirements.indexOf(volume)]?.id ?? null) : null;
  }

  /**
   * All checks, before anything is started on them. record: as it lies beside the lock; undefined: that is not known, so that nothing
   * can be labelled. Throws VolumeFailed with what is wrong with the first that fails.
   */
  async check(record: LockRecord | null | undefined, tenure?: bigint): Promise<void> {
    const { requirements } = this.#options;
    const first = await Promise.all(
      requirements.map((requirement) => this.#look(requirement, record, tenure)),
    );
    this.#reports = await Promise.all(
      first.map(async (report, index) => {
        const requirement = requirements[index];
        const may_label = report.verdict === "unlabelled" && report.empty && record !== undefined;
        if (!requirement || !may_label || !has_no_volume(record) || requirement.id !== null) return report;
        return this.#label(requirement, record, tenure);
      }),
    );
    for (const report of this.#reports) {
      if (report.verdict === "ok") continue;
      throw new VolumeFailed(report.because, report.verdict);
    }
    const twins = twins_among(this.#reports);
    if (twins !== null) throw new VolumeFailed(twins, "wrong");
  }

  /** Under the lock: it dies with the tenure, and undoes what it has done when it fails. */
  attach(tenure: bigint): Promise<HookResult> {
    const nothing = { failure: null, alive: false };
    return this.#attachment?.attach({ tenure, page: true, app_env: true }) ?? Promise.resolve(nothing);
  }
  /** With no tenure: what is mounted here only gets more dangerous by staying. */
  detach(): Promise<HookResult> {
    const nothing = { failure: null, alive: false };
    return this.#attachment?.detach({ page: true, app_env: true }) ?? Promise.resolve(nothing);
  }

  /** From now on until the tenure is over. */
  watch(tenure: bigint): void {
    this.unwatch();
    const { requirements, instance, time, on_lost } = this.#options;
    this.#watches = requirements.flatMap((requirement, index) => {
      const first = this.#reports[index];
      if (!first || first.id === null) return [];
      const on_report = (report: VolumeReport): void => {
        this.#reports = this.#reports.map((old, at) =>
          at === index ? { ...report, no_copy_among: old.no_copy_among } : old,
        );
      };
      const watch = new VolumeWatch({
        ...{ requirement, first, expected_id: first.id, instance, time, on_report },
        job: { tenure, page: true },
        on_lost: ({ because, how }) => on_lost(tenure, because, how),
      });
      return [watch];
    });
  }
  unwatch(): void {
    for (const watch of this.#watches) watch.end();
    this.#watches = [];
  }
  mounts_changed(): void {
    for (const watch of this.#watches) watch.mounts_changed();
  }

  /** Flushes what the kernel still holds of the dead app. What failed, as a sentence. */
  async drain(until_ns: bigint): Promise<string | null> {
    this.unwatch();
    const { requirements, time } = this.#options;
    const failures = await Promise.all(
      requirements.map(async ({ path }) => {
        const began_ns = time.now_ns();
        const { results } = await run_probe([{ do: "sync", path }], {
          deadline_ns: until_ns,
          now_ns: () => time.now_ns(),
        });
        const [result] = results;
        if (result && result.error === undefined) return null;
        const left_ms = Number(time.now_ns() - began_ns) / 1e6;
        return result
          ? `what the app wrote to ${path} could not be flushed (${result.step ?? "sync"}: ${result.error ?? ""})`
          : `what the app wrote to ${path} was not flushed within ${ms(left_ms)}`;
      }),
    );
    return failures.find((failure) => failure !== null) ?? null;
  }

  /** One answer that is late says nothing yet: as while the app runs, it takes so many in a row. */
  async #look(
    requirement: VolumeRequirement,
    record: LockRecord | null | undefined,
    tenure?: bigint,
  ): Promise<VolumeReport> {
    const { instance, time } = this.#options;
    const expected_id = this.#expected(requirement, record ?? null);
    for (let misses = 1; ; misses++) {
      const job = job_of(tenure);
      const last = this.#reports[this.#options.requirements.indexOf(requirement)];
      const report = await check_volume(requirement, { expected_id, at: "start", instance, time, job, last });
      const late = report.verdict === "slow" || report.verdict === "hung";
      if (!late || misses >= requirement.probe.misses) return report;
    }
  }

  /** The record has the ids of all volumes, in their order; where volumes were added or taken out, it says nothing about one. */
  #expected(requirement: VolumeRequirement, record: LockRecord | null): string | null {
    const ids = record?.volume_id?.split(",") ?? [];
    const { requirements } = this.#options;
    return ids.length === requirements.length ? (ids[requirements.indexOf(requirement)] ?? null) : null;
  }

  async #label(
    requirement: VolumeRequirement,
    record: LockRecord | null,
    tenure?: bigint,
  ): Promise<VolumeReport> {
    const { time, ttl_ms, on_note } = this.#options;
    const { path, probe } = requirement;
    const created = new Date().toISOString();
    const labelled = await label_volume(
      path,
      { id: fresh_uuid(), label: null, created, tv_ms: ttl_ms, directory: false },
      { time, limit_ms: probe.limit_ms, job: job_of(tenure) },
    );
    if (labelled.how === "failed") throw new VolumeFailed(labelled.because, labelled.verdict);
    if (labelled.how === "labelled")
      on_note(`the volume ${path} was empty and had no identity: it has got the id ${labelled.identity.id}`);
    return this.#look(requirement, record, tenure);
  }
}

/** As the core hears of the volume's work. */
export async function as_hook(work: () => Promise<unknown>): Promise<HookResult> {
  try {
    await work();
    return { failure: null, alive: false };
  } catch (error) {
    if (error instanceof VolumeFailed || error instanceof LockUnknown)
      return { failure: error.message, alive: false };
    throw error;
  }
}
