// What leasehold is told in a container: from its command up to --, and from its variables.

import { load_settings, type Flags, type Settings } from "../../config/load.ts";
import { nearest } from "../../config/nearest.ts";
import { is_option, option, option_names, type OptionName, takes } from "../../config/options.ts";
import { quoted } from "../../config/quoted.ts";
import { ConfigError } from "../../errors.ts";
import type { Place } from "./finding.ts";

/** Whether the command names it, or variables are meant for it; else the container is something else's. */
export function runs_leasehold({ command, environment }: Pick<Place, "command" | "environment">): boolean {
  const named = command.some((word) => /(^|\/|\s)leasehold(\s|$)/.test(word));
  return named || Object.keys(environment).some((name) => name.startsWith("LEASEHOLD_"));
}

/** flags: what explain was given itself, which the container's own beat. A --config file lies in the image, and isn't read. */
export async function settings_of(
  { where, command, environment, node }: Omit<Place, "judge">,
  flags: Flags,
): Promise<{ settings: Settings; unread: string | null }> {
  const own = flags_in(command, where);
  const unread = own.config ?? environment.LEASEHOLD_CONFIG;
  delete own.config;
  const known = Object.entries(environment).filter(([, value]) => !/\$[({]/.test(value));
  const { LEASEHOLD_CONFIG: _, ...rest } = Object.fromEntries(known);
  const settings = await load_settings({ node, ...flags, ...own }, rest);
  return { settings, unread: typeof unread === "string" ? unread : null };
}

const words_of = (command: readonly string[]): readonly string[] =>
  command.length === 1 ? (command[0] ?? "").split(/\s+/) : command;
const begin_in = (words: readonly string[]): number =>
  words.findIndex((word) => word === "leasehold" || word.endsWith("/leasehold"));

/** The app's command. Empty: leasehold is run there, without one. null: the image says it. */
export function app_of({ command }: Pick<Place, "command">): readonly string[] | null {
  const words = words_of(command);
  const begin = begin_in(words);
  if (begin < 0) return command.length > 0 ? words : null;
  const end = words.indexOf("--", begin);
  return end < 0 ? [] : words.slice(end + 1).filter((word) => word !== "");
}

function flags_in(command: readonly string[], where: string): Flags {
  const words = words_of(command);
  const begin = begin_in(words);
  const flags: Record<string, string | readonly string[]> = {};
  if (begin < 0) return flags;
  const rest = words.slice(begin + 1);
  for (let at = rest[0] === "run" ? 1 : 0; at < rest.length && rest[at] !== "--"; at++) {
    const word = rest[at] ?? "";
    const [flag = "", ...values] = word.split("=");
    const name = flag.replace(/^--/, "");
    if (!flag.startsWith("--") || !is_option(name) || !takes(name, "flag")) throw unknown(word, where);
    const value = guessed(name, word.includes("=") ? values.join("=") : (rest[++at] ?? ""));
    if (value === null) continue;
    flags[name] = option(name).kind === "volume" ? [flags[name] ?? [], value].flat() : value;
  }
  return flags;
}

/** What only the shell there knows stands for itself where any text will do; null: elsewhere nothing can be said of it. */
function guessed(name: OptionName, value: string): string | null {
  if (!value.includes("$")) return value;
  const { kind } = option(name);
  if (!["text", "file", "volume", "hook", "name", "address"].includes(kind)) return null;
  return value.replace(/^\$\{?(\w+)\}?/, "/$1").replaceAll(/\$\{?(\w+)\}?/g, "$1");
}

function unknown(word: string, where: string): ConfigError {
  const known = option_names.filter((name: OptionName) => takes(name, "flag")).map((name) => `--${name}`);
  const near = nearest(word.replace(/=.*/s, ""), known);
  return new ConfigError(
    `${where}: ${quoted(word)} is no option of leasehold run`,
    word,
    near === undefined ? "put the app's command after --" : `did you mean ${near}?`,
  );
}
