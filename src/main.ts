import { program } from "./cli/program.ts";
import { defect, exitCodes, Failure } from "./errors.ts";

process.on("uncaughtException", fail);
process.stdout.on("error", () => process.exit()); // its reader has gone, as in `leasehold --help | head -1`
program(process.argv.slice(2), (text) => process.stdout.write(text)).catch(fail);

// Exits at once: after a defect nothing may go on. Writes to standard error are synchronous on Linux.
function fail(error: unknown): never {
  const expected = error instanceof Failure;
  process.stderr.write(`leasehold: ${expected ? error.message : defect(error)}\n`);
  process.exit(expected ? error.exitCode : exitCodes.defect);
}
