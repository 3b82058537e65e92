import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { boot_clock } from "../guard/boot-clock.ts";
import type { Request } from "../restore/request.ts";
import { real_time } from "../shell/time.ts";

/** `leasehold work`: internal, what runs in the job of a backup or a restore. */
export function add_work(program: Command): void {
  program.command("work", { hidden: true }).action(async () => {
    const { work } = await import("../restore/work.ts");
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by the same program, restore/job.ts
    const request = JSON.parse(readFileSync(0, "utf8")) as Request;
    const say = (said: object): void => void process.stdout.write(`${JSON.stringify(said)}\n`);
    await work(request, say, async () => real_time(await boot_clock()));
    process.exit(); // not after the timers of what was in time
  });
}
