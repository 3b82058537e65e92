// What is to be done with a data directory before the app starts: facts in, a decision out. Pure.

import { format_instant } from "../config/instant.ts";
import { quoted } from "../config/quoted.ts";
import type { RestoredFrom } from "../backup/advance.ts";
import { type Backup, complete_by, type Whole, whole_newest_first } from "../backup/catalogue.ts";
import { describe } from "../backup/manifest.ts";

/**
 * When the data is restored. once: this backup, if it wasn't yet. now: whatever is there, this backup or the newest; with a time, the
 * newest that was complete by then, from which the restore command goes on to it.
 */
export type When =
  | { kind: "empty" | "missing-marker" | "behind" | "never" }
  | { kind: "once"; id: string }
  | { kind: "now"; id: string | null; target_ms: number | null };

/** What happens when a restore is due and there is no backup at all. first-boot: only if nobody has ever held the lock. */
type Without = "fail" | "first-boot" | "start-empty";

export type Policy = {
  when: When;
  without: Without;
  /** So many older backups may be tried when the newest can't be used. */
  fallback: number;
};

/** What leasehold remembers of a data directory, beside it. */
export type Marker = {
  /** null: it was started empty, by policy. */
  backup: string | null;
  /** What that backup said of itself, for the next one to be compared with. null: not known. */
  from: RestoredFrom | null;
  /** All that were ever restored here. */
  restored: readonly string[];
  /** Of the tenure that restored it. */
  token: string | null;
  node: string;
  at: string;
};

export type Facts = {
  path: string;
  /** foreign: something that is no directory. */
  data: "absent" | "empty" | "full" | "foreign";
  /** null: there is none. */
  marker: Marker | null;
  /** The token of the last tenure that started the app on this data; null: not known. */
  used_token: string | null;
  /** Nobody has ever held the lock. */
  first_boot: boolean;
  /** Of the volume that the directory lies on; null: on none with an identity, or that isn't known. */
  volume_id: string | null;
};

export type Decision =
  | { do: "nothing"; because: string }
  | { do: "start-empty"; because: string }
  /** The first of them that can be used. */
  | { do: "restore"; ids: readonly string[]; because: string }
  | { do: "refuse"; because: string };

/** Whether the backups have to be known at all: a store that doesn't answer must not keep an app from data that is there. */
export function is_due(when: When, { data, marker }: Facts): "yes" | "no" | "depends" {
  const nothing = data === "absent" || data === "empty";
  switch (when.kind) {
    case "never":
      return "no";
    case "empty":
      return nothing ? "yes" : "no";
    case "missing-marker":
      return nothing ? (marker?.backup === null ? "no" : "yes") : marker === null ? "yes" : "no";
    case "behind":
      return nothing ? "yes" : "depends";
    case "once":
      return marker?.restored.includes(when.id) === true ? "no" : "yes";
    case "now":
      return "yes";
  }
}

/** backups: null when is_due says no, or what is restored doesn't come from the built-in store. */
export function decide(
  { when, without, fallback }: Policy,
  facts: Facts,
  backups: readonly Backup[] | null,
): Decision {
  const { path, data } = facts;
  if (data === "foreign")
    return {
      do: "refuse",
      because: `${quoted(path)} is no directory; --data names the app's data directory`,
    };
  const due = is_due(when, facts);
  if (due === "no") return { do: "nothing", because: why_not(when, facts) };
  const what = data === "full" ? why_full(when, path) : `${quoted(path)} is ${data}`;
  if (backups === null) {
    if (due === "depends")
      return {
        do: "refuse",
        because: "--restore behind needs --backup-store; give it, or another --restore",
      };
    return { do: "restore", ids: [], because: what };
  }
  const target_ms = when.kind === "now" ? when.target_ms : null;
  const whole = complete_by(target_ms, whole_newest_first(backups));
  const named = when.kind === "once" || when.kind === "now" ? when.id : null;
  if (named !== null) {
    const found = backups.find(({ id }) => id === named);
    if (found?.how === "whole" && !whole.includes(found))
      return { do: "refuse", because: too_late(`the backup ${quoted(named)}`, target_ms) };
    if (found?.how === "whole")
      return { do: "restore", ids: [named], because: `${what}: restoring ${describe(found.manifest)}` };
    return {
      do: "refuse",
      because: `the backup ${quoted(named)} ${found ? state_of(found) : "is not in the store"}; see leasehold backups list`,
    };
  }
  const [newest] = whole;
  // Tokens only grow.
  if (due === "depends") {
    const newest_token = newest?.manifest.token ?? null;
    if (newest_token !== null && facts.used_token === null)
      return {
        do: "refuse",
        because: `${quoted(path)} holds data, of which nobody knows whether it is older than the newest backup; restore it by leasehold restore, or start once with --restore never`,
      };
    if (newest_token === null || BigInt(facts.used_token ?? 0) >= BigInt(newest_token))
      return { do: "nothing", because: `${quoted(path)} holds data, and no backup is of a later tenure` };
  }
  if (newest === undefined && backups.some(({ how }) => how === "whole"))
    return { do: "refuse", because: too_late("each backup", target_ms) };
  if (newest === undefined) return nothing_to_restore(without, facts, backups, what);
  // A newer one that can't be read is not "no backup": what it holds would be lost without a word.
  const unreadable = backups.filter(
    ({ how, id }) => (how === "damaged" || how === "newer") && id > newest.id,
  );
  if (unreadable.length > fallback)
    return {
      do: "refuse",
      because:
        `the newest backup ${quoted(unreadable[0]?.id ?? "")} ${state_of(unreadable[0])}; repair it, or allow an older one by ` +
        "--restore-fallback",
    };
  if (is_of_another_volume(newest, when, facts))
    return {
      do: "refuse",
      because:
        `the newest backup ${describe(newest.manifest)} is of the volume ${newest.manifest.volume_id}, and ${quoted(path)} lies on ` +
        `${facts.volume_id}: if it is this app's, name it once, by leasehold restore --backup or --restore once:${newest.id}; ` +
        "where each node has a volume of its own, give --restore behind",
    };
  const ids = whole
    .slice(0, 1 + fallback - unreadable.length)
    .filter((backup) => !is_of_another_volume(backup, when, facts))
    .map(({ id }) => id);
  const behind = due === "depends" ? `${quoted(path)} is of an earlier tenure than the newest backup` : what;
  return { do: "restore", ids, because: `${behind}: restoring ${describe(newest.manifest)}` };
}

/** With behind each node has its own. */
function is_of_another_volume({ manifest }: Whole, when: When, { volume_id }: Facts): boolean {
  if (when.kind === "behind" || volume_id === null || manifest.volume_id === null) return false;
  return manifest.volume_id !== volume_id;
}

function nothing_to_restore(
  without: Without,
  { path, data, first_boot }: Facts,
  backups: readonly Backup[],
  what: string,
): Decision {
  const broken = backups.find(({ how }) => how === "damaged" || how === "newer");
  if (broken)
    return {
      do: "refuse",
      because: `${what}, and the backup ${quoted(broken.id)} ${state_of(broken)}; repair or remove it by hand`,
    };
  const unfinished = backups.length === 0 ? "" : " that is whole";
  if (data !== "full" && (without === "start-empty" || (without === "first-boot" && first_boot))) {
    const why = without === "start-empty" ? "--restore-without says so" : "nobody has held the lock before";
    return {
      do: "start-empty",
      because: `${quoted(path)} stays empty: there is no backup${unfinished}, and ${why}`,
    };
  }
  const remedy =
    without === "first-boot" && data !== "full"
      ? "somebody has held the lock before, so there was data: find it, or give --restore-without start-empty once"
      : "make one, or give --restore-without first-boot";
  return { do: "refuse", because: `${what}, and there is no backup${unfinished}; ${remedy}` };
}

function too_late(what: string, target_ms: number | null): string {
  const target = format_instant(target_ms ?? 0);
  return `${what} was complete only after ${target}, and from there is no way back; see leasehold backups list`;
}

function why_not(when: When, { path, data, marker }: Facts): string {
  const restored = marker?.backup ?? null;
  const holds = data === "full" ? "holds data" : `is ${data}`;
  switch (when.kind) {
    case "once":
      return `the backup ${quoted(when.id)} was restored here before`;
    case "missing-marker":
      return `${quoted(path)} ${holds}, and was ${restored === null ? "started empty" : `restored from ${restored}`}`;
    default:
      return `${quoted(path)} ${holds}, and --restore is ${when.kind}`;
  }
}

function why_full(when: When, path: string): string {
  switch (when.kind) {
    case "missing-marker":
      return `${quoted(path)} holds data that was never restored or started by leasehold`;
    case "once":
      return `${when.id} was not restored here yet`;
    default:
      return `${quoted(path)} holds data`;
  }
}

function state_of(backup: Backup | undefined): string {
  switch (backup?.how) {
    case "damaged":
      return `is damaged: ${backup.because}`;
    case "newer":
      return `is a newer leasehold's: ${backup.because}`;
    case "unfinished":
      return "is unfinished";
    case "whole":
    case undefined:
      return "is whole";
  }
}
