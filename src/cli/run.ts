import type { Command } from "commander";
import { UsageError } from "../errors.ts";
import { add_options, flag_options, read_config } from "./options.ts";

/** `leasehold run`, when the guard has already started. argv: the whole command line, for its `--`. */
export function addRun(program: Command, argv: readonly string[]): void {
  const run = program
    .command("run")
    .summary("run an app while this contender holds the lock")
    .description("Takes the lock, then runs the app, and kills it before the lock could be another's.")
    .usage("[options] -- COMMAND [ARG...]")
    .argument("[command...]");
  add_options(run, flag_options).action(async (command: string[]) => {
    if (argv.indexOf("--") < 0 || argv.at(-1) === "--") {
      throw new UsageError("run needs a command after --", command.join(" "), "e.g. leasehold run -- mysqld");
    }
    const config = await read_config(run);
    const { contend } = await import("../shell/contender.ts");
    await contend(config);
  });
}
