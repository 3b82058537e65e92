import { Command, CommanderError } from "commander";
import pkg from "../../package.json" with { type: "json" };
import { add_backup } from "./backup.ts";
import { add_backups } from "./backups.ts";
import { add_config } from "./config.ts";
import { add_doctor } from "./doctor/command.ts";
import { add_exec } from "./exec.ts";
import { add_explain } from "./explain.ts";
import { add_leader } from "./leader.ts";
import { open_to_look, type OpenLock } from "./look.ts";
import { add_reload } from "./reload.ts";
import { addRelease } from "./release.ts";
import { add_restore } from "./restore.ts";
import { addRun } from "./run.ts";
import { add_status } from "./status.ts";
import { usage_error } from "./usage.ts";
import { add_volume } from "./volume.ts";
import { add_work } from "./work.ts";

const example = `
Example (one MySQL, on whichever machine holds the lock):
  leasehold run --lock zk://zk1:2181,zk2:2181/mysql -- mysqld`;

/**
 * Does what argv says, the program's own name not included. Throws a Failure for the user's mistakes. write: to standard
 * output; warn: one sentence to standard error; open: for the commands that look at a lock.
 */
export async function program(
  argv: readonly string[],
  write: (text: string) => void,
  warn: (sentence: string) => void = (sentence) => process.stderr.write(`leasehold: ${sentence}\n`),
  open: OpenLock = open_to_look,
): Promise<void> {
  const terminal = { write, warn };
  const command = new Command("leasehold")
    .description("On one volume at most one copy of the app runs.")
    .version(pkg.version, "--version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand(false)
    .addHelpText("after", example)
    .exitOverride()
    .configureOutput({ writeOut: write, writeErr: () => {}, getOutHelpWidth: () => 80 });
  addRun(command, argv);
  add_status(command, terminal, open);
  add_leader(command, terminal, open);
  add_exec(command, argv, terminal);
  add_reload(command, terminal);
  add_config(command, terminal);
  add_volume(command, terminal);
  add_restore(command, terminal, open);
  add_backup(command, terminal);
  add_backups(command, terminal);
  add_explain(command, terminal);
  add_doctor(command, terminal);
  addRelease(command);
  add_work(command);

  try {
    await command.parseAsync(argv, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) throw usage_error(error, command, argv);
  }
}
