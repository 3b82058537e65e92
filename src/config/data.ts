// The app's data directory: when it is restored, from where, and how it is backed up.

import { ConfigError } from "../errors.ts";
import { parse_duration } from "./durations.ts";
import { parse_instant } from "./instant.ts";
import { expand, type Templates } from "./fields.ts";
import type { LockUrl } from "./lock-url.ts";
import type { OptionName } from "./options.ts";
import { quoted } from "./quoted.ts";
import type { Values } from "./values.ts";
import { parse_volume, read_path, read_volumes, type VolumeRequirement } from "./volume.ts";

type Command = readonly string[];

/** now is `leasehold restore`'s own: whatever is there, this backup or the newest; as of that time. */
type RestoreWhen =
  | { kind: "empty" | "missing-marker" | "behind" | "never" }
  | { kind: "once"; id: string }
  | { kind: "now"; id: string | null; target_ms: number | null };

export type DataPlan = {
  /** The data directory: absolute, as of a volume. */
  path: string;
  /** null: backups are the commands' own business. */
  store: VolumeRequirement | null;
  /** The app's folder in the store. null: there is neither --backup-name nor a lock that it follows from. */
  app: string | null;
  restore: {
    when: RestoreWhen;
    without: "fail" | "first-boot" | "start-empty";
    fallback: number;
    load: Command | null;
    check: Command | null;
    timeout_ms: number;
    keep_ms: number;
  };
  backup: {
    /** null: only by hand. cron: a pattern that load.ts has tried. */
    schedule: { every_ms: number } | { cron: string } | null;
    jitter_ms: number;
    on_stop: boolean;
    dump: Command | null;
    timeout_ms: number;
    /** null: all. */
    keep: number | null;
    keep_for_ms: number | null;
  };
};

const needing_data = [
  "restore",
  "restore-without",
  "restore-fallback",
  "restore-with",
  "restore-check",
  "restore-timeout",
  "restore-keep",
  "backup-with",
  "backup-schedule",
  "backup-jitter",
  "backup-on-stop",
  "backup-timeout",
] as const satisfies OptionName[];

/** null: no data directory is given. */
export function read_data(values: Values, templates: Templates): DataPlan | null {
  const refuse = (what: string, remedy: string): never => {
    throw new ConfigError(what, "", remedy);
  };
  if (values.data === undefined) {
    const needs = needing_data.find((name) => values[name] !== undefined);
    if (needs !== undefined)
      refuse(`--${needs} is given without --data`, "give --data PATH, the app's data directory");
    return null;
  }
  const path = read_path(expand(values.data, templates, "--data"), "--data");
  const store = read_store(values, templates);
  const load = values["restore-with"] ?? null;
  const dump = values["backup-with"] ?? null;
  const has_source = store !== null || load !== null;
  const when: RestoreWhen =
    values.restore === undefined ? { kind: has_source ? "empty" : "never" } : read_when(values.restore);
  if (when.kind !== "never" && !has_source)
    refuse("--restore is given without a source", "give --backup-store or --restore-with");
  if (store && is_below(store.path, path))
    refuse(`--backup-store ${quoted(store.path)} lies in --data`, "keep backups on another storage");
  if (store && is_below(path, store.path))
    refuse(`--data ${quoted(path)} lies in --backup-store`, "keep backups on another storage");
  if (store === null && (when.kind === "once" || when.kind === "behind"))
    refuse(`--restore ${when.kind} needs --backup-store`, "give it, or another --restore");
  const on_stop = values["backup-on-stop"] === "on";
  if (store === null && dump === null)
    for (const name of ["backup-schedule", "backup-on-stop"] as const)
      if (values[name] !== undefined && values[name] !== "off")
        refuse(
          `--${name} is given, and there is nowhere to back up to`,
          "give --backup-store or --backup-with",
        );
  if (on_stop && store && load)
    refuse(
      "--backup-on-stop reads the data directory itself, and --restore-with makes it out of something else",
      "leave one of them out",
    );
  return {
    path,
    store,
    app: values["backup-name"] === undefined ? name_of(values.lock) : read_name(values["backup-name"]),
    restore: {
      when,
      without: values["restore-without"] ?? "first-boot",
      fallback: values["restore-fallback"] ?? 0,
      load,
      check: values["restore-check"] ?? null,
      timeout_ms: values["restore-timeout"] ?? 12 * 3_600_000,
      keep_ms: values["restore-keep"] ?? 3_600_000,
    },
    backup: {
      schedule: read_schedule(values["backup-schedule"]),
      jitter_ms: values["backup-jitter"] ?? 0,
      on_stop,
      dump,
      timeout_ms: values["backup-timeout"] ?? 6 * 3_600_000,
      keep: values["backup-keep"] === 0 ? null : (values["backup-keep"] ?? 7),
      keep_for_ms: values["backup-keep-for"] ?? null,
    },
  };
}

/** Also for the commands that need no data directory. */
export function read_store(values: Values, templates: Templates): VolumeRequirement | null {
  const text = values["backup-store"];
  if (text === undefined) return null;
  const [store] = read_volumes([parse_volume(text, "--backup-store")], templates);
  return store ?? null;
}

/** Where it is its own: of a lock's path all but the slashes. */
export function name_of(lock: LockUrl | undefined): string | null {
  if (lock === undefined || !("path" in lock)) return null;
  const name = lock.path
    .split("/")
    .filter((part) => part !== "")
    .join("-");
  return is_name(name) ? name : null;
}

export function read_name(name: string): string {
  if (is_name(name)) return name;
  throw new ConfigError(
    `--backup-name is ${quoted(name)}, which is no folder's name`,
    name,
    "use up to 100 letters, digits, - . and _, a letter or digit first",
  );
}

const is_name = (name: string): boolean => /^[A-Za-z\d][\w.-]{0,99}$/.test(name);

function read_when(text: string): RestoreWhen {
  const kinds = ["empty", "missing-marker", "behind", "never"] as const;
  const kind = kinds.find((known) => known === text);
  if (kind !== undefined) return { kind };
  const [, once] = /^once:(.+)$/.exec(text) ?? [];
  if (once !== undefined) return { kind: "once", id: once };
  const now = /^now(?::([^@]+))?(?:@(.+))?$/.exec(text);
  if (now) {
    const [, id = null, target] = now;
    return { kind: "now", id, target_ms: target === undefined ? null : parse_instant(target, "--restore") };
  }
  throw new ConfigError(
    `--restore is ${quoted(text)}, which is none of ${kinds.join(", ")}, once:ID`,
    text,
    "write e.g. empty, or once: and an id of leasehold backups list",
  );
}

function read_schedule(text: string | undefined): DataPlan["backup"]["schedule"] {
  if (text === undefined) return null;
  if (text.includes(" ") || text.startsWith("@")) return { cron: text };
  const every_ms = parse_duration(text, "--backup-schedule");
  if (every_ms >= 1000) return { every_ms };
  throw new ConfigError(`--backup-schedule is ${quoted(text)}, which is too often`, text, "give 1s or more");
}

/** The cron pattern is one, and has a next time. It loads the library that knows. */
export async function check_schedule(plan: DataPlan | null): Promise<void> {
  const { schedule } = plan?.backup ?? {};
  if (!schedule || !("cron" in schedule)) return;
  const { Cron } = await import("croner");
  const wrong = (why: string): ConfigError =>
    new ConfigError(
      `--backup-schedule is ${quoted(schedule.cron)}: ${why}`,
      schedule.cron,
      "write e.g. 0 3 * * *, or 15m",
    );
  let next: Date | null;
  try {
    next = new Cron(schedule.cron, { paused: true }).nextRun();
  } catch (error) {
    const [why = ""] = error instanceof Error ? error.message.split("\n") : [];
    throw wrong(why.replace(/\.$/, ""));
  }
  if (next === null) throw wrong("that time never comes");
}

function is_below(path: string, upper: string): boolean {
  return path === upper || path.startsWith(upper === "/" ? "/" : `${upper}/`);
}
