import { Command, CommanderError } from "commander";
import pkg from "../../package.json" with { type: "json" };
import { UsageError } from "../errors.ts";
import { addRelease } from "./release.ts";
import { addRun } from "./run.ts";

const example = `
Example (one MySQL, on whichever machine holds the lock):
  leasehold run --lock zk://zk1:2181,zk2:2181/mysql --volume /var/lib/mysql -- mysqld

This version has the guard but no lock backend yet: run starts nothing.
Exit codes and all else: README.md and docs/.`;

/** Does what argv says, the program's own name not included. Throws a Failure for the user's mistakes. */
export async function program(argv: readonly string[], write: (text: string) => void): Promise<void> {
  const command = new Command("leasehold")
    .description("On one volume at most one copy of the app runs.")
    .version(pkg.version, "--version", "print the version")
    .helpOption("-h, --help", "print this help")
    .addHelpText("after", example)
    .exitOverride()
    .configureOutput({ writeOut: write, writeErr: () => {} });
  addRun(command, argv);
  addRelease(command);

  try {
    await command.parseAsync(argv, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) throw usageError(error, argv);
  }
}

function usageError({ code, message }: CommanderError, argv: readonly string[]): UsageError {
  const received = argv.join(" ");
  if (code === "commander.help") {
    return new UsageError("a command is missing", received, "leasehold --help lists them");
  }
  // Commander says: error: unknown command 'rn'\n(Did you mean run?)
  const [what = "", near] = message.replace(/^error: /, "").split("\n");
  const nearest = /\(Did you mean (.*)\?\)/.exec(near ?? "")?.[1];
  return new UsageError(what, received, nearest ? `did you mean ${nearest}?` : "see leasehold --help");
}
