import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { page_of } from "../guard/page.ts";
import { until_alone } from "../shell/alone.ts";
import { give_back } from "../shell/give-back.ts";

/** `leasehold release`: internal, what the guard runs to give the lock back when its controller has died. */
export function addRelease(program: Command): void {
  program.command("release", { hidden: true }).action(async () => {
    // Standard input is the sealed memory with the record, up to its end, which is a newline.
    const [line = ""] = readFileSync(0, "utf8").split("\n");
    // What was started beside the app is dead first, as the app is.
    const page = page_of(process.ppid);
    if (page) await until_alone(page, [process.ppid]);
    await give_back(line);
  });
}
