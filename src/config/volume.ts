// What is required of a volume: --volume PATH[,key=value]… Nothing here touches the volume.

import { ConfigError } from "../errors.ts";
import { duration_max_ms, format_duration, parse_duration } from "./durations.ts";
import { escape_field, expand, split_fields, type Templates } from "./fields.ts";
import { nearest } from "./nearest.ts";
import { quoted } from "./quoted.ts";
import { format_size, parse_size } from "./sizes.ts";

/** stop: the app is asked to stop, with its stop timeout. kill: at once. warn: only the log says it. */
type OnFault = "stop" | "kill" | "warn";

/** How the volume is probed while the app runs: misses in a row are the loss. */
export type ProbePlan = { every_ms: number; limit_ms: number; misses: number };

export type VolumeRequirement = {
  /** Absolute, without "." and "..", without a / at its end. */
  path: string;
  /** One of these file system types; none given: any. */
  types: readonly string[];
  /** A pattern for what is mounted, * for any characters. */
  source: string | null;
  /** The identity's id. null: whatever the record beside the lock knows. */
  id: string | null;
  /** All of these mount options, each as mountinfo shows it: noatime, vers=4.1. */
  options: readonly string[];
  min_free_bytes: number | null;
  /** The user's word for A of the volume lease: the greatest age of any view of it. */
  view_age_ms: number | null;
  probe: ProbePlan;
  on_read_only: OnFault;
  on_full: OnFault;
};

/** --volume as it was given, taken apart; templates are still in it. */
export type VolumeText = { where: string; path: string; fields: readonly (readonly [Key, string])[] };

const keys = [
  "type",
  "source",
  "id",
  "options",
  "min-free",
  "probe",
  "view-age",
  "on-read-only",
  "on-full",
] as const;
type Key = (typeof keys)[number];

export const default_probe: ProbePlan = { every_ms: 5000, limit_ms: 3000, misses: 2 };

/** The guard flushes them for a dead controller, and its frame has room for so many. */
const volumes_max = 16;
/** Older views are some cache's fault, not a kind of storage. */
const view_age_max_ms = 600_000;
const paths_max_bytes = 2000;

/** Takes one --volume apart. Whether its values are right shows when the templates are filled in. */
export function parse_volume(text: string, where: string): VolumeText {
  const [path = "", ...rest] = split_fields(text, ",");
  const here = `${where} ${quoted(text)}`;
  const refuse = (what: string, remedy: string): never => {
    throw new ConfigError(`${here} ${what}`, text, remedy);
  };
  if (path === "") return refuse("has no path", "write e.g. /data,type=nfs4");
  const fields = rest.map((field): readonly [Key, string] => {
    const at = field.indexOf("=");
    const name = at < 0 ? field : field.slice(0, at);
    const key = keys.find((known) => known === name);
    if (key === undefined) {
      const near = nearest(name, keys);
      const remedy = near ? `did you mean ${near}?` : `it is one of ${keys.join(", ")}`;
      return refuse(`has the unknown key ${quoted(name)}`, remedy);
    }
    if (at < 0 || at + 1 === field.length) return refuse(`has no value for ${key}`, `write ${key}=…`);
    return [key, field.slice(at + 1)];
  });
  const names = fields.map(([key]) => key);
  const twice = names.find((key, index) => names.indexOf(key) !== index);
  if (twice !== undefined) return refuse(`has ${twice} twice`, lists[twice] ?? "give it once");
  return { where: here, path, fields };
}

const lists: Partial<Record<Key, string>> = {
  type: "write type=nfs+nfs4 to allow both",
  options: "write options=noatime+nodev to require both",
};

/** All volumes, their templates filled in, each value checked, and that none lies in another. */
export function read_volumes(texts: readonly VolumeText[], templates: Templates): VolumeRequirement[] {
  const volumes: VolumeRequirement[] = [];
  for (const text of texts) {
    const volume = read_volume(text, templates);
    const refuse = (what: string, remedy: string): never => {
      throw new ConfigError(`${text.where} ${what}`, volume.path, remedy);
    };
    for (const { path } of volumes) {
      if (path === volume.path) refuse(`is there twice, as ${quoted(path)}`, "give each volume once");
      const [upper, lower] = [path, volume.path].toSorted((a, b) => a.length - b.length);
      if (upper !== undefined && lower?.startsWith(`${upper}/`) === true)
        refuse(
          `and ${quoted(path)}: ${quoted(lower)} lies below ${quoted(upper)}`,
          "require volumes that are mounted beside each other, or only the upper one",
        );
    }
    volumes.push(volume);
    if (volumes.length > volumes_max) refuse(`is one too many`, `give at most ${volumes_max}`);
  }
  const bytes = volumes.reduce((sum, { path }) => sum + Buffer.byteLength(path) + 1, 0);
  if (bytes > paths_max_bytes)
    throw new ConfigError(
      `the volumes' paths have ${bytes} bytes together`,
      "",
      `keep them under ${paths_max_bytes}`,
    );
  return volumes;
}

/** What --volume PATH alone requires. */
export function plain_volume(path: string): VolumeRequirement {
  return {
    path,
    types: [],
    source: null,
    id: null,
    options: [],
    min_free_bytes: null,
    view_age_ms: null,
    probe: default_probe,
    on_read_only: "stop",
    on_full: "stop",
  };
}

function read_volume({ where, path, fields }: VolumeText, templates: Templates): VolumeRequirement {
  const volume = plain_volume(read_path(expand(path, templates, where), where));
  for (const [key, raw] of fields) {
    const value = expand(raw, templates, where);
    if (value === "")
      throw new ConfigError(`${where} has an empty ${key}`, raw, "give a value, or leave it out");
    Object.assign(volume, read_field(key, value, where));
  }
  return volume;
}

/** Absolute, without "." and "..", not the root. */
export function read_path(text: string, where: string): string {
  const refuse = (what: string, remedy: string): never => {
    throw new ConfigError(`${where} ${what}`, text, remedy);
  };
  const path = text.length > 1 ? text.replace(/\/$/, "") : text;
  if (!path.startsWith("/")) return refuse(`has the relative path ${quoted(text)}`, "write it from / on");
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(path))
    return refuse("has a control character in its path", "leave it out");
  const segments = path.slice(1).split("/");
  if (path === "/") return refuse("is the root file system itself", "name the mount point of the volume");
  if (segments.includes("..") || segments.includes("."))
    return refuse(`has . or .. in its path`, "write the path that it leads to");
  if (segments.includes("")) return refuse("has // in its path", "leave one out");
  if (Buffer.byteLength(path) > 1000) return refuse("has a path of more than 1000 bytes", "shorten it");
  return path;
}

function read_field(key: Key, value: string, where: string): Partial<VolumeRequirement> {
  const refuse = (what: string, remedy: string): never => {
    throw new ConfigError(`${where} ${what}`, value, remedy);
  };
  switch (key) {
    case "type": {
      const types = value.split("+");
      const wrong = types.find((type) => !/^[\w.-]{1,64}$/.test(type));
      if (wrong !== undefined)
        return refuse(
          `has the type ${quoted(wrong)}`,
          "write e.g. type=nfs4, or type=nfs+nfs4 to allow both",
        );
      return { types };
    }
    case "source":
      return { source: value };
    case "id": {
      const id = value.toLowerCase();
      return is_id(id)
        ? { id }
        : refuse(`has the id ${quoted(value)}`, "leasehold volume show PATH prints it");
    }
    case "options": {
      const options = value.split("+");
      if (options.includes(""))
        return refuse("has an empty mount option", "write e.g. options=noatime+nodev");
      return { options };
    }
    case "min-free":
      return { min_free_bytes: parse_size(value, `min-free of ${where}`) };
    case "view-age": {
      const view_age_ms = parse_duration(value, `view-age of ${where}`);
      if (view_age_ms > view_age_max_ms)
        return refuse(
          `has view-age=${value}, and every take-over would wait for twice as long`,
          `give what was measured, at most ${format_duration(view_age_max_ms)}`,
        );
      return { view_age_ms };
    }
    case "probe":
      return { probe: read_probe(value, where) };
    case "on-read-only":
      return { on_read_only: read_fault(key, value, where) };
    case "on-full":
      return { on_full: read_fault(key, value, where) };
  }
}

export function is_id(text: string): boolean {
  return /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(text);
}

/** EVERY/LIMIT×MISSES, such as 5s/3s×2, or 5s/3s/2 where the sign can't be typed. */
function read_probe(text: string, where: string): ProbePlan {
  const refuse = (what: string, remedy: string): never => {
    throw new ConfigError(`${where} has probe=${text}, ${what}`, text, remedy);
  };
  const parts = /^([^/]*)\/([^/\u00d7]*)[\u00d7/](\d{1,4})$/.exec(text);
  if (!parts) {
    const near = text.replace(/[x*](?=\d+$)/i, "/");
    return near !== text && near.split("/").length === 3
      ? refuse("without the sign ×", `write ${near.replace(/\/(?=\d+$)/, "×")}, or ${near}`)
      : refuse("which is no EVERY/LIMIT×MISSES", "write e.g. probe=5s/3s×2");
  }
  const [, every = "", limit = "", misses = ""] = parts;
  const probe = {
    every_ms: parse_duration(every, `the interval in probe= of ${where}`),
    limit_ms: parse_duration(limit, `the limit in probe= of ${where}`),
    misses: Number(misses),
  };
  if (probe.every_ms < 100) return refuse("which probes too often", "probe every 100ms or less often");
  if (probe.limit_ms < 10)
    return refuse("which leaves no time for an answer", "give a limit of 10ms or more");
  if (probe.misses < 1) return refuse("which never is a loss", "count 1 miss or more");
  if (probe.limit_ms * probe.misses + probe.every_ms > duration_max_ms)
    return refuse("which takes more than 24 days", "shorten it");
  return probe;
}

function read_fault(key: Key, value: string, where: string): OnFault {
  const choices = ["stop", "kill", "warn"] as const;
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  const near = nearest(value, choices);
  const remedy = near ? `did you mean ${near}?` : `write e.g. ${key}=kill`;
  throw new ConfigError(
    `${where} has ${key}=${value}, which is none of ${choices.join(", ")}`,
    value,
    remedy,
  );
}

/** As --volume takes it: parse_volume and read_volumes give the same again. */
export function format_volume(volume: VolumeRequirement): string {
  const { types, source, id, options, min_free_bytes, view_age_ms, probe, on_read_only, on_full } = volume;
  const field = (key: Key, value: string): string => `${key}=${escape_field(value)}`;
  return [
    escape_field(volume.path),
    ...(types.length > 0 ? [field("type", types.join("+"))] : []),
    ...(source === null ? [] : [field("source", source)]),
    ...(id === null ? [] : [field("id", id)]),
    ...(options.length > 0 ? [field("options", options.join("+"))] : []),
    ...(min_free_bytes === null ? [] : [field("min-free", format_size(min_free_bytes))]),
    field("probe", format_probe(probe)),
    ...(view_age_ms === null ? [] : [field("view-age", format_duration(view_age_ms))]),
    ...(on_read_only === "stop" ? [] : [field("on-read-only", on_read_only)]),
    ...(on_full === "stop" ? [] : [field("on-full", on_full)]),
  ].join(",");
}

function format_probe({ every_ms, limit_ms, misses }: ProbePlan): string {
  return `${format_duration(every_ms)}/${format_duration(limit_ms)}×${misses}`;
}

/** The one that a path lies on. */
export function volume_at(
  volumes: readonly VolumeRequirement[],
  path: string,
): VolumeRequirement | undefined {
  return volumes.find((volume) => path === volume.path || path.startsWith(`${volume.path}/`));
}
