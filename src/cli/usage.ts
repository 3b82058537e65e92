import type { Command, CommanderError } from "commander";
import { nearest } from "../config/nearest.ts";
import { is_option, takes } from "../config/options.ts";
import { escaped, quoted } from "../config/quoted.ts";
import { type Failure, UsageError } from "../errors.ts";

/** One sentence of ours for what commander refused. */
export function usage_error(
  { code, message }: CommanderError,
  program: Command,
  argv: readonly string[],
): Failure {
  const received = argv.join(" ");
  const command = command_of(program, argv);
  const path = path_of(command).join(" ");
  if (code === "commander.help")
    return new UsageError("a command is missing", received, `${path} --help lists them`);
  // Commander says: error: unknown command 'rn'\n(Did you mean run?)
  const what = message.replace(/^error: /, "").replace(/\.?(\n\(Did you mean [^\n]*)?$/, "");
  const [, word = ""] = /^unknown (?:option|command) '([^]*)'$/.exec(what) ?? [];
  if (code === "commander.unknownOption")
    return unknown_option(word.replace(/=[^]*/, ""), program, command, received);
  if (code === "commander.unknownCommand") {
    const commands = all_commands(program);
    const near = nearest_command(word, command, commands);
    return new UsageError(
      `unknown command ${quote(word)}`,
      received,
      near ? `did you mean ${near}?` : `see ${path} --help`,
    );
  }
  return new UsageError(escaped(what), received, `see ${path} --help`);
}

function unknown_option(flag: string, program: Command, command: Command, received: string): Failure {
  const path = path_of(command).join(" ");
  const refuse = (remedy: string): Failure =>
    new UsageError(`unknown option ${quote(flag)}`, received, remedy);
  const name = flag.replace(/^--/, "");
  if (flag.startsWith("--") && is_option(name)) {
    if (!takes(name, "flag")) return refuse("give --lock-password-file or LEASEHOLD_LOCK_PASSWORD");
    if (command === program)
      return refuse(`it belongs after the command: leasehold run ${flag} … -- COMMAND`);
    return refuse(`it is an option of leasehold run, not of ${path}`);
  }
  const own = nearest(flag, flags_of(command));
  if (own !== undefined) return refuse(`did you mean ${own}?`);
  const commands = all_commands(program);
  const near = nearest(flag, commands.flatMap(flags_of));
  const owner = near === undefined ? undefined : commands.find((other) => flags_of(other).includes(near));
  return refuse(owner ? `did you mean ${near} of ${path_of(owner).join(" ")}?` : `see ${path} --help`);
}

/** What no user calls. */
const internal: ReadonlySet<string> = new Set(["release", "work"]);

function quote(word: string): string {
  return `'${quoted(word).slice(1, -1)}'`;
}

/** "show" after `leasehold` is config show. */
function nearest_command(word: string, command: Command, commands: readonly Command[]): string | undefined {
  const own = command.commands.map((sub) => sub.name());
  const near = nearest(
    word,
    own.filter((name) => !internal.has(name)),
  );
  if (near !== undefined) return near;
  const elsewhere = commands.find((sub) => sub.name() === word);
  return elsewhere && path_of(elsewhere).slice(1).join(" ");
}

function flags_of(command: Command): string[] {
  return [...command.options.map((added) => added.long), "--help"].filter((flag) => typeof flag === "string");
}

/** Those that help shows. */
function all_commands(command: Command): Command[] {
  return command.commands
    .filter((sub) => !internal.has(sub.name()))
    .flatMap((sub) => [sub, ...all_commands(sub)]);
}

/** The command that argv names, as far as it does: commander stops at the first word that it doesn't know. */
function command_of(program: Command, argv: readonly string[]): Command {
  let command = program;
  for (const word of argv) {
    const sub = command.commands.find((candidate) => candidate.name() === word);
    if (!sub) break;
    command = sub;
  }
  return command;
}

function path_of(command: Command): string[] {
  return command.parent ? [...path_of(command.parent), command.name()] : [command.name()];
}
