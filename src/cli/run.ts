import type { Command } from "commander";
import { NotBuiltError, UsageError } from "../errors.ts";

/** `leasehold run`, when the guard has already started. argv: the whole command line, for its `--`. */
export function addRun(program: Command, argv: readonly string[]): void {
  program
    .command("run")
    .summary("run an app while this contender holds the lock")
    .description("Takes the lock, checks the volume, then runs the app, and kills it when either is lost.")
    .usage("[options] -- COMMAND [ARG...]")
    .argument("[command...]")
    // The options come with the lock backends; until then none is refused.
    .allowUnknownOption()
    .action((command: string[]) => {
      const received = command.join(" ");
      if (argv.indexOf("--") < 0 || argv.at(-1) === "--") {
        throw new UsageError("run needs a command after --", received, "e.g. leasehold run -- mysqld");
      }
      throw new NotBuiltError(
        "this version has the guard but no lock backend yet, so run starts nothing",
        received,
        "see CHANGELOG.md for what works",
      );
    });
}
