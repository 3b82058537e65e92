// Which backups there are, which is the newest, and which are to go. Pure.

import type { Manifest } from "./manifest.ts";

/**
 * What lies in the store under one app's name. whole: its manifest is there and right, and the archive has the length that it says.
 * unfinished: no manifest, so it is being written, or its writer died. damaged, newer: why, as the end of a sentence.
 */
export type Backup =
  | { how: "whole"; id: string; manifest: Manifest; verified: Verified | null }
  | { how: "unfinished"; id: string }
  | { how: "damaged" | "newer"; id: string; because: string };

export type Whole = Extract<Backup, { how: "whole" }>;

/** The last time that somebody read all of it. */
export type Verified = { at: string; failure: string | null };

export type Retention = {
  /** So many of the newest stay; null: all. */
  keep: number | null;
  /** What is older goes; null: nothing does. */
  keep_for_ms: number | null;
};

/** The newest first: by sequence, then by token. Never by the time that a file or a clock says. */
export function whole_newest_first(backups: readonly Backup[]): Whole[] {
  return backups
    .filter((backup) => backup.how === "whole")
    .toSorted(
      ({ manifest: a }, { manifest: b }) =>
        b.sequence - a.sequence ||
        compare(BigInt(b.token ?? 0), BigInt(a.token ?? 0)) ||
        (a.id < b.id ? 1 : -1),
    );
}

/** Those from which a point in time can be reached: by the clock of the node that made them, as such a time is. null: all. */
export function complete_by(target_ms: number | null, backups: readonly Whole[]): Whole[] {
  return backups.filter(
    ({ manifest: { created, took_ms } }) => target_ms === null || Date.parse(created) + took_ms <= target_ms,
  );
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The next one's. What is damaged or newer may have had a higher one, but is no candidate either. */
export function next_sequence(backups: readonly Backup[]): number {
  return (whole_newest_first(backups)[0]?.manifest.sequence ?? 0) + 1;
}

/** How long an unfinished one is left alone: a backup under way is one, too. */
const unfinished_ms = 24 * 3_600_000;

/**
 * What may be removed. Never the newest of those that nobody has found wrong, whatever the numbers say; and what can't be read is
 * left to people.
 */
export function prunable(
  backups: readonly Backup[],
  { keep, keep_for_ms }: Retention,
  now_ms: number,
): Backup[] {
  const whole = whole_newest_first(backups);
  const last_good = whole.find(({ verified }) => (verified?.failure ?? null) === null);
  const age_ms = (created: string): number => now_ms - Date.parse(created);
  const old = whole.filter(
    (backup, index) =>
      backup !== last_good &&
      ((keep !== null && index >= keep) ||
        (keep_for_ms !== null && age_ms(backup.manifest.created) > keep_for_ms)),
  );
  const abandoned = backups.filter(
    ({ how, id }) => how === "unfinished" && now_ms - time_of(id) > unfinished_ms,
  );
  return [...old, ...abandoned];
}

/** When it was begun. */
function time_of(id: string): number {
  const [, y, mo, d, h, mi, s] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/.exec(id) ?? [];
  return Date.parse(`${y}-${mo}-${d}T${h}:${mi}:${s}Z`);
}
