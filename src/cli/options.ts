import { type Command, Option as CommanderOption } from "commander";
import { load_config, load_settings, type Config, type Flags, type Settings } from "../config/load.ts";
import type { Environment } from "../config/environment.ts";
import { option, option_names, type OptionName, takes } from "../config/options.ts";
import type { Raw } from "../config/values.ts";
import { UsageError } from "../errors.ts";

/** What every command that talks to the lock service takes. */
export const lock_options: readonly OptionName[] = [
  "lock",
  "config",
  "lock-user",
  "lock-password-file",
  "lock-ca-file",
  "lock-cert-file",
  "lock-key-file",
];

/** All that the command line takes, in the table's order. */
export const flag_options: readonly OptionName[] = option_names.filter((name) => takes(name, "flag"));

/** Adds these options of the table. shown: those that its help lists, in this group; the others are in docs/options.md. */
export function add_options(
  command: Command,
  names: readonly OptionName[],
  shown: readonly OptionName[] = names,
  group?: string,
): Command {
  for (const name of names) {
    const { placeholder = "VALUE", meaning, default: value } = option(name);
    const ending = value === "" ? "" : ` (${value})`;
    const added = new CommanderOption(`--${name} <${placeholder}>`, `${meaning}${ending}`);
    if (group !== undefined) added.helpGroup(group);
    command.addOption(added.hideHelp(!shown.includes(name)));
    if (option(name).kind === "volume") added.argParser(several);
    else added.argParser(once(`--${name}`));
  }
  return command;
}

/** The configuration that this command line, this environment and the file give; all of it is checked. */
export function read_config(command: Command, environment: Environment = process.env): Promise<Config> {
  return load_config(flags_of(command), environment);
}

/** The same for commands that need no lock and explain what is wrong themselves. */
export function read_settings(command: Command, environment: Environment = process.env): Promise<Settings> {
  return load_settings(flags_of(command), environment);
}

/** What the command line gave. */
export function flags_of(command: Command): Flags {
  const flags: Flags = {};
  for (const added of command.options) {
    const name = option_names.find((known) => `--${known}` === added.long);
    const value: unknown = command.getOptionValue(added.attributeName());
    if (name !== undefined && is_raw(value)) flags[name] = value;
  }
  return flags;
}

function is_raw(value: unknown): value is Raw {
  return (
    typeof value === "string" || (Array.isArray(value) && value.every((part) => typeof part === "string"))
  );
}

function several(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/** Of two values one would be ignored; which one, readers guess differently. */
export function once(flag: string): (value: string, before: string | undefined) => string {
  return (value, before) => {
    if (before !== undefined) throw new UsageError(`${flag} is there twice`, value, "give it once");
    return value;
  };
}
