import type { Command } from "commander";
import { NotBuiltError } from "../errors.ts";

/** `leasehold release`: internal, what the guard runs to give the lock back when its controller has died. */
export function addRelease(program: Command): void {
  program.command("release", { hidden: true }).action(() => {
    throw new NotBuiltError(
      "release is run by the guard alone, and this version has no lock to give back",
      "release",
      "see leasehold --help",
    );
  });
}
