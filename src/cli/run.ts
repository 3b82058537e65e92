import type { Command } from "commander";
import type { OptionName } from "../config/options.ts";
import { UsageError } from "../errors.ts";
import { add_options, flag_options, read_config } from "./options.ts";

/** What `run --help` shows; the rest is in `run --help-all`. */
const groups: readonly (readonly [heading: string, names: readonly OptionName[]])[] = [
  ["Lock and volume:", ["lock", "volume", "node", "ttl", "when-busy", "on-loss", "on-outage"]],
  ["App:", ["profile", "ready", "stop-signal", "stop-timeout"]],
  ["Hooks:", ["fence", "pre-start", "post-stop"]],
  ["Operations:", ["config", "advertise", "listen", "termination-log"]],
];

/** `leasehold run`, when the guard has already started. argv: the whole command line, for its `--`. */
export function addRun(program: Command, argv: readonly string[]): void {
  const run = program
    .command("run")
    .summary("run an app while this contender holds the lock")
    .description("Takes the lock, then runs the app, and kills it before the lock could be another's.")
    .usage("[options] -- COMMAND [ARG...]")
    .argument("[command...]")
    .addHelpText(
      "after",
      `
Every option is also a key of the YAML file and a variable LEASEHOLD_...; hooks
run by sh -c. All of them, with the reasons: --help-all and docs/options.md.

Example:
  leasehold run --lock zk://zk1,zk2/mysql --fence /bin/fence -- mysqld`,
    );
  for (const [heading, names] of groups) add_options(run, names, names, heading);
  const grouped = groups.flatMap(([, names]) => names);
  const rest = flag_options.filter((name) => !grouped.includes(name));
  add_options(run, rest, [], "More:");
  run.option("--help-all", "print all options");
  run.on("option:help-all", () => {
    for (const option of run.options) option.hidden = false;
    run.help();
  });
  run.action(async (command: string[]) => {
    if (argv.indexOf("--") < 0 || argv.at(-1) === "--") {
      throw new UsageError("run needs a command after --", command.join(" "), "e.g. leasehold run -- mysqld");
    }
    const config = await read_config(run);
    const { contend } = await import("../shell/contender.ts");
    await contend(config, command, () => read_config(run));
  });
}
