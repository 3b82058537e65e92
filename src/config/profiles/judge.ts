// What the state of an app's data directory means under the lock, before the app is started. Pure.

import { quoted } from "../quoted.ts";
import { type ProfileName, profiles } from "./all.ts";
import type { Danger, Profile } from "./profile.ts";

/** One process of this PID namespace, as a lock file may name it. */
export type ProcessKind = "none" | "ours" | "other";

export type DataFacts = {
  directory: string;
  /** What lies in it; null: it isn't there. */
  names: readonly string[] | null;
  /** The profile's version, stale and settings files that are there, as text; at most so much as was read. */
  files: ReadonlyMap<string, string>;
  /** Its storage may be had by other machines, too. */
  network: boolean;
  /** What the image says of its own version; null: nothing. */
  image_version: string | null;
  /** The app's command. */
  command: readonly string[];
  process: (pid: number) => ProcessKind;
};

export type DataJudgement = {
  /** Why the app must not be started on it: what; remedy. null: it may. */
  refusal: string | null;
  /** Files to remove, and what is said of each. */
  remove: readonly { file: string; because: string }[];
  warnings: readonly string[];
  notes: readonly string[];
};

/** What file systems and leasehold put into a directory themselves. */
const own_names = new Set(["lost+found", ".leasehold", ".snapshot"]);

export function judge_data(name: ProfileName, facts: DataFacts): DataJudgement {
  const profile: Profile = profiles[name];
  const nothing = { refusal: null, remove: [], warnings: [], notes: [] };
  const { data } = profile;
  if (!data) return nothing;
  const { directory, names, files } = facts;
  const shown = quoted(directory);
  const warnings = [
    ...dangers_in(profile, facts),
    ...(facts.network && profile.network !== null
      ? [`${shown} is on storage that other machines have, too: ${profile.network}`]
      : []),
  ];
  if (names === null)
    return { ...nothing, warnings, notes: [`${shown} isn't there yet: ${profile.app} makes it`] };
  if (!names.some((one) => data.markers.includes(one))) {
    const other = whose(names, data.markers);
    const refusal =
      other !== null
        ? `${shown} holds data of ${other}, not of ${profile.app}; give the right --profile, or --data`
        : data.own_directory !== undefined && names.includes(".leasehold")
          ? `${shown} is the volume itself, and ${data.own_directory}; give the app a directory on it`
          : null;
    const empty = names.every((one) => own_names.has(one));
    const note = empty
      ? `${shown} is empty: ${profile.app} initialises it`
      : `${shown} has no ${profile.app} in it (yet)`;
    return { ...nothing, refusal, warnings, notes: refusal === null ? [note] : [] };
  }
  const version = data.version?.files
    .map((file) => files.get(file)?.split("\n")[0]?.trim())
    .find((line) => line !== undefined);
  const stale = data.stale.filter((file) => files.has(file)).map((file) => lock_file(file, facts));
  return {
    refusal: newer(profile, version ?? "", facts),
    remove: stale.filter(({ remove }) => remove),
    warnings: [...warnings, ...stale.filter(({ remove }) => !remove).map(({ because }) => because)],
    notes:
      version === undefined || version === ""
        ? []
        : [`${shown} holds ${profile.app} ${quoted(version).slice(1, -1)}`],
  };
}

/** Some servers refuse such data, and some begin to work on it. */
function newer(
  { app, data }: Profile,
  version: string,
  { directory, image_version }: DataFacts,
): string | null {
  const [of_data, of_image] = [version, image_version ?? ""].map((text) => {
    const [, major, minor] = /^(?:\d+:)?(\d+)(?:\.(\d+))?/.exec(text) ?? [];
    return major === undefined ? null : { major: Number(major), minor: Number(minor ?? Number.NaN) };
  });
  if (!of_data || !of_image) return null;
  const is_newer =
    of_data.major > of_image.major || (of_data.major === of_image.major && of_data.minor > of_image.minor);
  if (!is_newer) return null;
  const said = `${data?.version?.variable ?? ""} is ${quoted(image_version ?? "")}`;
  return `${quoted(directory)} holds data of a newer ${app} (${quoted(version)}) than this one (${said}); run the newer one, or restore a backup of the older`;
}

/** Whoever holds the lock knows that no app of this volume runs elsewhere; here only what leasehold started could, and it has not. */
function lock_file(
  file: string,
  { directory, files, process }: DataFacts,
): { file: string; remove: boolean; because: string } {
  const shown = quoted(`${directory}/${file}`);
  const [, number] = /^\s*(\d{1,10})\s*(?:\n|$)/.exec(files.get(file) ?? "") ?? [];
  const pid = Number(number ?? 0);
  const kind = pid === 0 ? "none" : process(pid);
  if (kind === "other")
    return {
      file,
      remove: false,
      because: `${shown} names process ${pid}, which runs here and isn't leasehold's: it is left, and the app may refuse to start; stop that process`,
    };
  const why =
    pid === 0
      ? "it names no process"
      : kind === "none"
        ? `process ${pid} doesn't run here, and nobody else runs the app while the lock is ours`
        : `process ${pid} is leasehold itself`;
  return { file, remove: true, because: `removed the stale ${shown}: ${why}` };
}

/** Of which other app they are the marks. MySQL's and MariaDB's are the same. */
function whose(names: readonly string[], own: readonly string[]): string | null {
  for (const { app, data } of Object.values<Profile>(profiles)) {
    const marks = data?.markers ?? [];
    if (marks.some((mark) => own.includes(mark))) continue;
    if (marks.some((mark) => telling.has(mark) && names.includes(mark))) return app;
  }
  return null;
}

/** Names that no other app has; "mysql" or "metadata" may be anybody's. */
const telling = new Set(["PG_VERSION", "appendonlydir", "WiredTiger", "writer.chk"]);

function dangers_in(profile: Profile, { command, files, network }: DataFacts): string[] {
  const settings = settings_of(command);
  const in_files = (profile.data?.settings ?? []).map((file) => ({ file, text: files.get(file) ?? "" }));
  return profile.dangers.flatMap((danger) => {
    if (danger.where === "network" && !network) return [];
    const found = last_of(danger, settings, in_files);
    if (found === null || !danger.values.includes(found.value)) return [];
    const value = found.value === "" ? "" : ` ${quoted(found.value).slice(1, -1)}`;
    return [`${danger.setting}${value} (${found.where}): ${danger.costs}`];
  });
}

/** The value that counts: the command's beats the files', of which the last beats the others. null: it is the default. */
function last_of(
  { setting }: Danger,
  settings: ReadonlyMap<string, string>,
  files: readonly { file: string; text: string }[],
): { value: string; where: string } | null {
  const value = settings.get(setting);
  if (value !== undefined) return { value, where: "in the command" };
  for (const { file, text } of files.toReversed()) {
    const lines = text.split("\n").flatMap((line) => {
      const [, name = "", quote, bare] = /^\s*([\w.-]+)\s*=?\s*(?:'([^']*)'|([^\s#']+))/.exec(line) ?? [];
      return normal(name) === setting ? [(quote ?? bare ?? "").toLowerCase()] : [];
    });
    const last = lines.at(-1);
    if (last !== undefined) return { value: last, where: `in ${file}` };
  }
  return null;
}

const normal = (name: string): string => name.replaceAll("_", "-").toLowerCase();

/** --name=value, --name value, --name, -c name=value, -Ename=value. */
export function settings_of(command: readonly string[]): Map<string, string> {
  const settings = new Map<string, string>();
  for (const [index, word] of command.entries()) {
    const assigned = /^(?:--|-E|-c)?([A-Za-z][\w.-]*)=(.*)$/s.exec(word);
    const is_setting =
      word.startsWith("--") || word.startsWith("-E") || word.startsWith("-c") || command[index - 1] === "-c";
    if (assigned && is_setting) settings.set(normal(assigned[1] ?? ""), (assigned[2] ?? "").toLowerCase());
    else if (/^--[A-Za-z][\w.-]*$/.test(word)) {
      const next = command[index + 1];
      settings.set(
        normal(word.slice(2)),
        next === undefined || next.startsWith("-") ? "" : next.toLowerCase(),
      );
    }
  }
  return settings;
}

/**
 * The data directory: --data, the app's own option, or the image's place. null: it isn't known, because the profile knows of none or the
 * app's option is no absolute path.
 */
export function data_directory(
  name: ProfileName,
  given: string | null,
  command: readonly string[],
): string | null {
  const { data }: Profile = profiles[name];
  if (given !== null || !data) return given;
  const found = command.flatMap((word, index) => {
    const flag = data.flags.find((one) => word === one || word.startsWith(`${one}=`));
    if (flag === undefined) return [];
    return [word === flag ? (command[index + 1] ?? "") : word.slice(flag.length + 1)];
  });
  const last = found.at(-1) ?? data.image;
  return last.startsWith("/") ? last : null;
}

/** A command that runs another app than the profile's: a sentence. null: it runs this one, or nobody knows what. */
export function mismatch(name: ProfileName, command: readonly string[]): string | null {
  const words = new Set(command.map((word) => word.split("/").at(-1) ?? ""));
  const runs = ({ programs }: Profile): string | undefined => programs.find((program) => words.has(program));
  if (profiles[name].data === null || runs(profiles[name]) !== undefined) return null;
  const other = Object.values<Profile>(profiles).find((profile) => runs(profile) !== undefined);
  return other === undefined
    ? null
    : `the command runs ${runs(other)}, and the profile is ${name}; give --profile for ${other.app}`;
}
