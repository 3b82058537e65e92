// Watches one volume while the app runs: looks at it every so often, and at once when the mounts have changed.

import { quoted } from "../config/quoted.ts";
import type { VolumeRequirement } from "../config/volume.ts";
import type { Time } from "../core/time.ts";
import { Prober } from "../guard/prober.ts";
import { check_volume, late_ms } from "./check.ts";
import type { Mount } from "./mountinfo.ts";
import { type JobKind, read_mounts } from "./probing.ts";
import type { VolumeReport } from "./report.ts";
import { judge, type LossHow, no_misses, type Verdict } from "./verdict.ts";

type VolumeLoss = { verdict: Verdict; because: string; how: LossHow };

export type WatchOptions = {
  requirement: VolumeRequirement;
  /** The id that was found at the start. */
  expected_id: string;
  instance: string;
  time: Time;
  job?: JobKind | undefined;
  /** What the check before the start said. */
  first: VolumeReport;
  /** After each look. */
  on_report: (report: VolumeReport) => void;
  /** Once; the watch has ended then. */
  on_lost: (loss: VolumeLoss) => void;
};

/** With so many looks left that SIGKILL has not ended no new one is begun, and each turn is a miss. */
const left_max = 8;

/**
 * One look at a time; one that is late is killed, and counted until it is dead. After a miss the next begins at once: a volume that
 * hangs is lost after misses × (limit + late_ms).
 */
export class VolumeWatch {
  readonly #options: WatchOptions;
  readonly #abort = new AbortController();
  readonly #prober: Prober;
  /** Looks whose job is being killed. */
  #pending = 0;
  readonly #undead = new Set<number>();
  #misses = no_misses;
  #report: VolumeReport;
  #ended = false;
  #looking = false;
  /** The mounts have changed during a look. */
  #again = false;
  #take_back = (): void => {};

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#report = options.first;
    this.#prober = new Prober(options.job ?? {});
    this.#later(options.requirement.probe.every_ms);
  }

  /** The newest. */
  get report(): VolumeReport {
    return this.#report;
  }

  /** Looks in a row that had no answer in time. */
  get misses(): number {
    return this.#misses.misses;
  }

  /** Looks that SIGKILL has not ended yet. */
  get undead(): number {
    for (const pid of this.#undead) if (!is_alive(pid)) this.#undead.delete(pid);
    return this.#pending + this.#undead.size;
  }

  /** The guard saw a change in mountinfo. That this volume is gone needs no look, and counts before this returns. */
  mounts_changed(): void {
    if (this.#ended) return;
    const change = this.#change();
    if (change?.verdict === "gone") this.#take({ ...this.#report, ...change });
    if (this.#has_ended()) return;
    if (this.#looking) this.#again = true;
    else this.#later(0);
  }

  /** What mountinfo says of the mount that the newest look was at. */
  #change(): ReturnType<typeof change_of> {
    const { mount } = this.#report;
    return mount ? change_of(this.#options.requirement.path, mount, read_mounts()) : null;
  }

  /** Nothing is told any more. A look that is under way is ended. */
  end(): void {
    this.#ended = true;
    this.#take_back();
    this.#abort.abort();
    this.#prober.close();
  }

  #later(delay_ms: number): void {
    this.#take_back();
    this.#take_back = this.#options.time.after(Math.max(0, delay_ms), () => void this.#look());
  }

  async #look(): Promise<void> {
    const { requirement, expected_id, instance, time } = this.#options;
    const job = { ...this.#options.job, abort: this.#abort.signal, by: this.#prober };
    this.#looking = true;
    this.#again = false;
    const stuck = this.undead >= left_max;
    const report = stuck
      ? await this.#no_look()
      : await check_volume(requirement, { expected_id, at: "run", instance, time, job });
    this.#looking = false;
    if (report.left) void this.#count(report.left);
    if (this.#ended) return;
    // It may have come before the guard's word, and seen only what lies below a volume that is unmounted. Of a volume that takes no
    // writes mountinfo may know why. By itself that is no reason for a mild end: another one may lie over ours by now.
    const change = report.verdict === "ok" ? null : this.#change();
    const known = change?.verdict === "gone" || change?.verdict === report.verdict;
    this.#take(known ? { ...report, ...change } : report);
    if (!this.#has_ended()) this.#later(this.#wants_more() ? 0 : requirement.probe.every_ms - report.took_ms);
  }

  /** Asked anew: whoever was told may have ended it. */
  #has_ended(): boolean {
    return this.#ended;
  }

  #wants_more(): boolean {
    return this.#again || this.#misses.misses > 0;
  }

  async #count(left: Promise<number | null>): Promise<void> {
    this.#pending++;
    const pid = await left;
    this.#pending--;
    if (pid !== null) this.#undead.add(pid);
  }

  async #no_look(): Promise<VolumeReport> {
    const { requirement, time } = this.#options;
    const { limit_ms, misses } = requirement.probe;
    const took_ms = limit_ms + late_ms(misses);
    await new Promise<void>((resolve) => time.after(took_ms, resolve));
    const because = `the volume ${quoted(requirement.path)} has hung for ${left_max} looks that can't be killed; look at its device or server`;
    return { ...this.#report, verdict: "hung", because, took_ms, left: null };
  }

  #take(report: VolumeReport): void {
    const { requirement, on_report, on_lost } = this.#options;
    const { misses, how } = judge(requirement, this.#misses, report.verdict);
    this.#misses = { misses };
    this.#report = report;
    on_report(report);
    if (how === null) return;
    this.end();
    const times = misses > 1 ? `, ${misses} times in a row` : "";
    on_lost({ verdict: report.verdict, because: `${report.because}${times}`, how });
  }
}

/** What became of a mount, as far as mountinfo tells. null: nothing that is bad; what is mounted over it, a look finds. */
function change_of(
  path: string,
  mount: Mount,
  mounts: readonly Mount[],
): { verdict: Verdict; because: string; mount?: Mount } | null {
  const now = mounts.find(
    ({ id, point, dev }) => id === mount.id && point === mount.point && dev === mount.dev,
  );
  const what = `${mount.type} from ${quoted(mount.source)}`;
  if (now === undefined)
    return { verdict: "gone", because: `the volume ${quoted(path)} was unmounted (${what}); mount it again` };
  if (now.options.includes("ro") && !mount.options.includes("ro"))
    return {
      verdict: "read-only",
      because: `the volume ${quoted(path)} was remounted read-only; remount it rw`,
      mount: now,
    };
  return null;
}

function is_alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
