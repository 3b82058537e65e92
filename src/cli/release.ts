import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { release_lock } from "../lock/open.ts";

/** `leasehold release`: internal, what the guard runs to give the lock back when its controller has died. */
export function addRelease(program: Command): void {
  program.command("release", { hidden: true }).action(async () => {
    // Standard input is the sealed memory with the record, up to its end, which is a newline.
    const [record = ""] = readFileSync(0, "utf8").split("\n");
    await release_lock(record);
  });
}
