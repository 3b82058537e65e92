import { program } from "./cli/program.ts";
import { defect, exitCodes, Failure } from "./errors.ts";
import { exit_through_guard } from "./guard/client.ts";

const argv = process.argv.slice(2);
process.on("uncaughtException", fail);
process.stdout.on("error", () => process.exit()); // its reader has gone, as in `leasehold --help | head -1`
program(argv, (text) => process.stdout.write(text)).catch(fail);

// After a defect nothing may go on. Writes to standard error are synchronous on Linux.
function fail(error: unknown): void {
  const expected = error instanceof Failure;
  process.stderr.write(`leasehold: ${expected ? error.message : defect(error)}\n`);
  const code = expected ? error.exitCode : exitCodes.defect;
  // `run` with a command was started by the guard, whose exit code is the one that counts. A defect ends without the exit
  // frame, so that the guard does all that it does for a dead controller.
  const guarded = expected && argv[0] === "run" && argv.includes("--");
  if (!guarded) process.exit(code);
  void exit_through_guard(code).finally(() => process.exit(code));
}
