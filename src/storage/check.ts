// Whether the volume is there, is the right one, and works.

import { quoted } from "../config/quoted.ts";
import type { VolumeRequirement } from "../config/volume.ts";
import type { Time } from "../core/time.ts";
import { copy_of } from "./copies.ts";
import { type JobKind, look_at } from "./probing.ts";
import { report_of, type VolumeReport } from "./report.ts";

export type CheckOptions = {
  /** From the record beside the lock. The requirement's own id goes before it. */
  expected_id: string | null;
  /** start: all of it. run: while the app runs, what can change. */
  at: "start" | "run";
  /** Names the file that is written; of each contender another. */
  instance: string;
  time: Time;
  job?: JobKind | undefined;
  /** The last look at it, if there was one: among the same mounts there is no copy then either, and nobody has to wait for those that hang. */
  last?: VolumeReport | undefined;
};

/** How much later than its limit an answer may come and be slow instead of missing. All misses together wait for it at most half a second. */
export function late_ms(misses: number): number {
  return 500 / misses;
}

/** One look; never rejects for what the volume does. It takes limit + late_ms at most, and a second more when the job itself is stopped. */
export async function check_volume(
  requirement: VolumeRequirement,
  options: CheckOptions,
): Promise<VolumeReport> {
  const { path, probe } = requirement;
  const sight = await look_at(path, {
    instance: options.instance,
    list: options.at === "start",
    limit_ms: probe.limit_ms + late_ms(probe.misses),
    time: options.time,
    job: options.job,
  });
  const report = report_of(requirement, sight, options);
  if (options.at === "run" || report.verdict !== "ok") return report;
  const mounts = JSON.stringify(sight.mounts);
  if (options.last?.no_copy_among === mounts && options.last.id === report.id)
    return { ...report, no_copy_among: mounts };
  const copy = await copy_of(requirement.path, report, sight.mounts, options);
  if (copy === null) return { ...report, no_copy_among: mounts };
  return {
    ...report,
    verdict: "wrong",
    because:
      `the volume ${quoted(path)} has the same id as the one mounted at ${quoted(copy.point)} from ${quoted(copy.source)}: ` +
      "one is a copy of the other; unmount the copy, or give it an id of its own by leasehold volume init --restored",
  };
}

/** Of several required volumes two that are one, or a copy of each other: a sentence. */
export function twins_among(reports: readonly VolumeReport[]): string | null {
  const known = reports.filter(({ id }) => id !== null);
  const twin = known.find(({ id }, at) => known.findIndex((other) => other.id === id) < at);
  const first = known.find(({ id }) => id === twin?.id);
  if (first === undefined || twin === undefined) return null;
  return `the volumes ${quoted(first.path)} and ${quoted(twin.path)} have the same id, ${twin.id}; require one of them, or give the copy an id of its own by leasehold volume init --restored`;
}
