// When the next backup is due. Pure, but for the cron library, which knows the time zone.

export type Schedule = { every_ms: number } | { cron: string };

/** After a failure an interval is not waited for in full. */
const retry_ms = 5 * 60_000;
/** Where there is no backup yet, the app gets so long to come up. */
const first_ms = 60_000;

export type Last = {
  /** When the last good one was begun; null: there is none, or it isn't known. */
  good_ms: number | null;
  /** Whether the last attempt of this tenure failed. */
  failed: boolean;
};

/** From now on, jitter left out. All times are the wall clock's: a backup's age is, too. */
export async function due_in_ms(
  schedule: Schedule,
  { good_ms, failed }: Last,
  now_ms: number,
): Promise<number> {
  if ("cron" in schedule) {
    const { Cron } = await import("croner");
    const next = new Cron(schedule.cron, { paused: true }).nextRun(new Date(now_ms));
    return next === null ? Infinity : next.getTime() - now_ms;
  }
  const { every_ms } = schedule;
  if (failed) return Math.min(every_ms, retry_ms);
  if (good_ms === null) return Math.min(every_ms, first_ms);
  // A clock that was set back is no reason to wait longer than the interval.
  return Math.min(every_ms, Math.max(0, good_ms + every_ms - now_ms));
}
