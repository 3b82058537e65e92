// What a look at a volume can say, and when that is its loss. Pure.

import type { VolumeRequirement } from "../config/volume.ts";

/**
 * ok; slow: every answer came, but late. hung: no answer. read-only, full: it is the right one, but takes no writes. stale: the
 * server has put another file system in its place. gone: nothing is mounted there, or what is fails for good. wrong: it is
 * another one, or not as required. unlabelled: it is there, but says nothing about who it is.
 */
export type Verdict =
  | "ok"
  | "slow"
  | "hung"
  | "read-only"
  | "full"
  | "stale"
  | "gone"
  | "wrong"
  | "unlabelled";

/** kill: at once, for nothing good can come of another write. stop: the app is asked to end. */
export type LossHow = "kill" | "stop";

/** misses: how many looks in a row had no answer in time. */
export type Misses = { misses: number };

export const no_misses: Misses = { misses: 0 };

/** What one more verdict makes of a volume whose app runs. how: it is lost. */
export function judge(
  { probe, on_read_only, on_full }: Pick<VolumeRequirement, "probe" | "on_read_only" | "on_full">,
  { misses }: Misses,
  verdict: Verdict,
): Misses & { how: LossHow | null } {
  const configured = (reaction: "stop" | "kill" | "warn"): LossHow | null =>
    reaction === "warn" ? null : reaction;
  switch (verdict) {
    case "ok":
      return { misses: 0, how: null };
    case "slow":
    case "hung":
      return { misses: misses + 1, how: misses + 1 >= probe.misses ? "kill" : null };
    case "read-only":
      return { misses: 0, how: configured(on_read_only) };
    case "full":
      return { misses: 0, how: configured(on_full) };
    case "stale":
    case "gone":
    case "wrong":
    case "unlabelled":
      return { misses: 0, how: "kill" };
  }
}

/** What an error of a file operation says about the volume. undefined: nothing; it was our own want of memory or descriptors. */
export function verdict_of(error: string): Verdict | undefined {
  return verdicts[error] ?? (own.has(error) ? undefined : "gone");
}

const own = new Set(["EMFILE", "ENFILE", "ENOMEM"]);

const verdicts: Readonly<Record<string, Verdict>> = {
  EROFS: "read-only",
  ENOSPC: "full",
  EDQUOT: "full",
  ESTALE: "stale",
  // The device or the file system's daemon is no more.
  ENOENT: "gone",
  ENOTDIR: "gone",
  ENODEV: "gone",
  ENXIO: "gone",
  ENOTCONN: "gone",
  ECONNABORTED: "gone",
  ESHUTDOWN: "gone",
  ENOMEDIUM: "gone",
  // A server that a soft mount has waited for, and may come back.
  ETIMEDOUT: "hung",
  ETIME: "hung",
  EHOSTDOWN: "hung",
  EHOSTUNREACH: "hung",
  ENETDOWN: "hung",
  ENETUNREACH: "hung",
  ECONNREFUSED: "hung",
  ECONNRESET: "hung",
  EAGAIN: "hung",
  EINTR: "hung",
};
