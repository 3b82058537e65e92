import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { Command } from "commander";
import { load_config } from "../config/load.ts";
import { UsageError } from "../errors.ts";
import { catches, controller_of, type LocalGuard } from "../guard/page.ts";
import { local_guard, NotHolding } from "./local.ts";
import { add_options, flag_options, flags_of, once } from "./options.ts";
import { type Terminal, warn_all } from "./terminal.ts";

/** `leasehold reload`: the running one reads its configuration again, if nothing is wrong with it. */
export function add_reload(program: Command, terminal: Terminal): void {
  program
    .command("reload")
    .summary("read the configuration again, while running")
    .description(
      "Checks the configuration of the leasehold that runs here, as config check does; if it is right, has it read " +
        "again. The app isn't touched. The running one's log says what has changed, and what needs a restart.",
    )
    .option("--pid <PID>", "which leasehold, when several run here", once("--pid"))
    .addHelpText(
      "after",
      `
Taken over: log-level, hooks, hook-timeout, stop-timeout, wait-timeout,
when-busy, on-loss, and the files with password and certificates.

Example:
  docker exec db /opt/leasehold/leasehold reload`,
    )
    .action(async ({ pid }: { pid?: string }) => {
      const guard = local_guard(pid);
      const controller = controller_of(guard);
      if (controller === null) throw not_ready(guard);
      warn_all(terminal, await config_of(guard, controller));
      if (!catches(controller, constants.signals.SIGHUP)) throw not_ready(guard);
      process.kill(controller, "SIGHUP");
      terminal.write(
        `leasehold, process ${guard.pid}, reads its configuration again; its log says what changes\n`,
      );
    });
}

/** As the running one will read it: its own command line, environment and directory. */
export function config_of({ pid }: LocalGuard, controller: number): ReturnType<typeof load_config> {
  const [, role, ...words] = strings(`/proc/${pid}/cmdline`);
  const end = words.indexOf("--");
  if (role !== "run" || end < 0)
    throw new UsageError(`process ${pid} was not started by leasehold run`, String(pid), "start it so");
  const run = add_options(new Command(), flag_options).exitOverride();
  run.configureOutput({ writeErr: () => {} }).parse(words.slice(0, end), { from: "user" });
  const environment = strings(`/proc/${controller}/environ`).map((entry): [string, string] => {
    const [name = ""] = entry.split("=", 1);
    return [name, entry.slice(name.length + 1)];
  });
  process.chdir(`/proc/${controller}/cwd`);
  return load_config(flags_of(run), Object.fromEntries(environment));
}

function strings(path: string): string[] {
  return readFileSync(path, "utf8").split("\0").slice(0, -1);
}

function not_ready({ pid }: LocalGuard): NotHolding {
  return new NotHolding(`leasehold, process ${pid}, has just started or is ending`, String(pid), "try again");
}
