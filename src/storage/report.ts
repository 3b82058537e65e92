// What a look at a volume means for what is required of it: a verdict, and the sentence for it. Pure.

import { format_duration } from "../config/durations.ts";
import { quoted } from "../config/quoted.ts";
import { describe_size } from "../config/sizes.ts";
import type { VolumeRequirement } from "../config/volume.ts";
import { ms } from "../core/timing.ts";
import { decode_identity, type Identity } from "./identity.ts";
import { is_of_source, is_of_type, kind_of, type StorageKind } from "./kinds.ts";
import { type Mount, mount_of } from "./mountinfo.ts";
import type { Sight } from "./probing.ts";
import { type Verdict, verdict_of } from "./verdict.ts";

export type VolumeReport = {
  path: string;
  verdict: Verdict;
  /** One sentence that begins with the path, with the numbers, and with the remedy unless all is well. */
  because: string;
  /** What volume.json says, also when it isn't what was expected. */
  identity: Identity | null;
  id: string | null;
  /** Nothing lies there but what file systems put there themselves. Only known at the start. */
  empty: boolean;
  /** Some of what lies in it; null: not looked for. */
  names: readonly string[] | null;
  /** Of the mount that the path leads into. null: not known, or only a directory. */
  mount: Mount | null;
  kind: StorageKind | null;
  free_bytes: number | null;
  /** All mounts, when no copy of it was found among them. */
  no_copy_among: string | null;
  took_ms: number;
  /** Of a look that had no answer: settles when its job has been killed, with a process when it can't be. null: nothing is left. */
  left: Promise<number | null> | null;
};

/** What a sight means for a requirement. Pure. */
export function report_of(
  requirement: VolumeRequirement,
  sight: Sight,
  { expected_id, at }: { expected_id: string | null; at: "start" | "run" },
): VolumeReport {
  const { path, probe } = requirement;
  const { facts, took_ms } = sight;
  const mount = mount_at(path, sight);
  const decoded = sight.identity ? decode_identity(sight.identity) : null;
  const identity = typeof decoded === "object" ? decoded : null;
  const say = (verdict: Verdict, what: string, remedy?: string): VolumeReport => ({
    path,
    verdict,
    because: `the volume ${quoted(path)} ${what}${remedy === undefined ? "" : `; ${remedy}`}`,
    identity,
    id: identity?.id ?? null,
    names: sight.names,
    empty: sight.names !== null && sight.names.every((name) => ignored.has(name)),
    mount: mount ?? null,
    kind: mount ? kind_of(mount) : null,
    free_bytes: facts?.free_bytes ?? null,
    no_copy_among: null,
    took_ms,
    left: sight.late?.left ?? null,
  });

  const { failed, late } = sight;
  if (sight.unprobed !== null)
    return say("slow", `could not be looked at: ${sight.unprobed}`, "it is tried again");
  if (facts === null) {
    if (late) return hung(say, late, took_ms, mount);
    if (failed) return failure(say, failed);
  }
  if (facts && facts.kind !== "dir")
    return say(
      "gone",
      `is a ${facts.kind === "file" ? "file" : "device or pipe"}, not a directory`,
      "name the directory where it is mounted",
    );
  const place = wrong_place(requirement, mount, identity);
  if (place) return say(...place);
  if (late) return hung(say, late, took_ms, mount);
  // A volume that takes no writes may yet tell who it is, and that comes first.
  if (failed && failed.doing !== "writing to it") return failure(say, failed);
  const expected = requirement.id ?? expected_id;
  const stranger = wrong_identity(decoded, expected, at === "start" ? sight.names : null);
  if (stranger) return say(...stranger);
  if (failed) return failure(say, failed);
  if (mount && is_read_only(mount))
    return say(
      "read-only",
      "is mounted read-only",
      "remount it rw, and look into the kernel's log for the reason",
    );
  const free = facts?.free_bytes ?? 0;
  const { min_free_bytes } = requirement;
  const short = min_free_bytes !== null && free < min_free_bytes;
  const space = `has ${describe_size(free)} free, and min-free is ${describe_size(min_free_bytes ?? 0)}`;
  if (short && at === "start") return say("full", space, "make room, or lower min-free");
  if (took_ms > probe.limit_ms)
    return say(
      "slow",
      `took ${ms(took_ms)} to answer, and its limit is ${format_duration(probe.limit_ms)}`,
      "look at the storage's load",
    );
  return say("ok", short ? `works, but ${space}` : `works, and answered in ${ms(took_ms)}`);
}

type Say = (verdict: Verdict, what: string, remedy?: string) => VolumeReport;

function hung(
  say: Say,
  { doing }: NonNullable<Sight["late"]>,
  took_ms: number,
  mount: Mount | undefined,
): VolumeReport {
  const who =
    mount && kind_of(mount).network
      ? `the server of ${quoted(mount.source)} and the way to it`
      : "the device and the kernel's log";
  const to = doing === null ? "" : ` to ${doing}`;
  return say("hung", `gave no answer${to} within ${ms(took_ms)}`, `look at ${who}`);
}

function failure(say: Say, { doing, step, error }: NonNullable<Sight["failed"]>): VolumeReport {
  const verdict = verdict_of(error);
  const what = `failed in ${doing} (${step}: ${error})`;
  if (verdict === undefined)
    return say("slow", `could not be looked at (${step}: ${error})`, "it is tried again");
  if (error === "EILSEQ")
    return say(
      "wrong",
      "gave back something else than was written to it just before",
      "somebody else writes there, or the storage is broken",
    );
  if (error === "EACCES" || error === "EPERM")
    return doing === "writing to it"
      ? say(
          "read-only",
          `may not be written by this user (${error})`,
          "change its owner or mode, or root_squash on the server",
        )
      : say(
          "wrong",
          `may not be read by this user: ${what}`,
          "change its owner or mode, or root_squash on the server",
        );
  switch (verdict) {
    case "gone":
      if (doing === "writing to it")
        return say(
          "gone",
          `can't be written any more (${step}: ${error})`,
          "see that it is still the one that is mounted there",
        );
      return error === "ENOENT" || error === "ENOTDIR"
        ? say("gone", `doesn't exist, or is a link that leads nowhere (${error})`, "mount it")
        : say("gone", what, "look into the kernel's log, then unmount it and mount it again");
    case "stale":
      return say(
        "stale",
        `is stale, its server has withdrawn it or put another in its place (${step}: ESTALE)`,
        "look at the server's exports, unmount it and mount it again",
      );
    case "read-only":
      return say(
        "read-only",
        `takes no writes (${step}: ${error})`,
        "look into the kernel's log: an error may have made it read-only",
      );
    case "full":
      return say(
        "full",
        error === "EDQUOT" ? "has reached its quota" : `has no space or no inode left (${step}: ${error})`,
        "make room",
      );
    case "hung":
      return say("hung", `gave no answer: ${what}`, "look at its server and the way to it");
    default:
      return say(verdict, what, "look into the kernel's log");
  }
}

/** Where the path leads to. The id that open() gave is exact; before Linux 5.8 the path has to do. */
function mount_at(path: string, { mounts, facts }: Sight): Mount | undefined {
  const by_id = mounts.find(({ id }) => id === facts?.mount_id);
  return by_id ?? mount_of(mounts, path);
}

type Wrong = readonly [verdict: Verdict, what: string, remedy: string];

function wrong_place(
  { types, source, options }: VolumeRequirement,
  mount: Mount | undefined,
  identity: Identity | null,
): Wrong | null {
  // Labelled as a directory: its id vouches for the place, wherever it lies.
  const nowhere = mount === undefined || mount.point === "/";
  if (nowhere && identity?.directory !== true) {
    const own = "is only a directory on the container's own file system: nothing is mounted there";
    const what = mount ? `${own} (${mount.type}, ${quoted(mount.source)})` : own;
    return ["gone", what, "mount the volume there, or correct the path"];
  }
  if (mount === undefined) return null;
  const found = `${mount.type} from ${quoted(mount.source)}`;
  if (!is_of_type(mount, types))
    return ["wrong", `is ${found}, and its type has to be ${types.join(" or ")}`, "mount the right one"];
  if (source !== null && !is_of_source(mount, source))
    return ["wrong", `is ${found}, and its source has to be ${quoted(source)}`, "mount the right one"];
  const present = [...mount.options, ...mount.super_options];
  const missing = options.filter((option) => !present.includes(option));
  if (missing.length > 0)
    return [
      "wrong",
      `is mounted without ${missing.join(", ")}, with ${mount.options.join(",")}`,
      `mount it with -o ${missing.join(",")}`,
    ];
  return null;
}

/** What file systems and their servers put there themselves. */
const ignored = new Set([
  "lost+found",
  ".snapshot",
  ".snapshots",
  ".zfs",
  ".leasehold",
  ".Trash",
  "System Volume Information",
]);

function wrong_identity(
  decoded: Identity | string | null,
  expected: string | null,
  names: readonly string[] | null,
): Wrong | null {
  if (typeof decoded === "string")
    return [
      "wrong",
      `has an identity that ${decoded}`,
      "restore .leasehold/volume.json, or make sure that it is the right volume and call leasehold volume init --replace",
    ];
  if (decoded === null) {
    if (expected !== null)
      return [
        "wrong",
        `has no identity, and has to be ${expected}`,
        "it is another one, or was emptied: mount the right one",
      ];
    const data = names?.some((name) => !ignored.has(name)) === true;
    return data
      ? [
          "unlabelled",
          "holds data but no identity",
          "make sure that it is the right one, then leasehold volume adopt",
        ]
      : ["unlabelled", "has no identity", "leasehold volume init gives it one"];
  }
  if (expected !== null && decoded.id !== expected)
    return [
      "wrong",
      `has the id ${decoded.id}${decoded.label === null ? "" : ` (${decoded.label})`}, and has to be ${expected}`,
      "mount the right one",
    ];
  if (names?.includes("PG_VERSION") === true)
    return [
      "wrong",
      "has PostgreSQL's data directly at the mount point, where a copy of the data would copy the volume's identity, too",
      "move it into a directory on the volume and give PGDATA that",
    ];
  return null;
}

function is_read_only({ options, super_options }: Mount): boolean {
  return options.includes("ro") || super_options.includes("ro");
}
