import { closeSync, openSync } from "node:fs";
import type { Command } from "commander";
import { describe } from "../backup/manifest.ts";
import { describe_size } from "../config/sizes.ts";
import { environment_name, option_names } from "../config/options.ts";
import { ms } from "../core/timing.ts";
import { BackupFailed, ConfigError } from "../errors.ts";
import { mark_used, read_page } from "../guard/page.ts";
import { run_work } from "../restore/job.ts";
import { local_guard, not_holding, seeing_controller } from "./local.ts";
import { once } from "./options.ts";
import { config_of } from "./reload.ts";
import { type Terminal, warn_all } from "./terminal.ts";
import { plain_job, shower } from "./working.ts";

/** `leasehold backup now`. */
export function add_backup(program: Command, terminal: Terminal): void {
  const backup = program.command("backup").summary("make a backup");
  backup.description("Makes backups of the data of the leasehold that runs here.");
  backup.addHelpText("after", "\nExample:\n  docker exec db /opt/leasehold/leasehold backup now");
  backup
    .command("now")
    .option("--pid <PID>", "which leasehold, when several run here", once("--pid"))
    .summary("make one now, beside the app")
    .description(
      "Makes a backup as the leasehold that runs here is configured to, in its container and as its user, only while it " +
        "holds the lock.",
    )
    .addHelpText(
      "after",
      `
Exit codes: 75 the lock isn't held here; 84 the backup failed.

Example:
  docker exec db /opt/leasehold/leasehold backup now`,
    )
    .action(({ pid }: { pid?: string }) => back_up(pid, terminal));
}

async function back_up(pid: string | undefined, terminal: Terminal): Promise<void> {
  const guard = local_guard(pid);
  const controller = seeing_controller(guard);
  const config = await config_of(guard, controller);
  warn_all(terminal, config);
  const { data, node } = config;
  if (data === null || (data.store === null && data.backup.dump === null))
    throw new ConfigError(
      `leasehold, process ${guard.pid}, has nothing to back up to`,
      String(guard.pid),
      "start it with --data and --backup-store, or --backup-with",
    );
  if (data.store && data.app === null)
    throw new ConfigError("the app's folder in the store has no name", "", "give --backup-name");
  mark_used(guard.page);
  const fd = openSync(guard.page, "r");
  try {
    const page = read_page(fd);
    if (!page || page.deadline_ns === 0n || !page.app_runs) throw not_holding(guard);
    const show = shower(terminal);
    const { dump, timeout_ms, keep, keep_for_ms } = data.backup;
    const answer = await run_work(
      "backup",
      {
        ...{ data: data.path, node, dump, retention: { keep, keep_for_ms }, wait: false },
        store: data.store && { requirement: data.store, app: data.app ?? "" },
      },
      {
        ...(await plain_job(timeout_ms)),
        ...{ tenure: page.tenure, page: fd, app_env: true },
        unset: option_names.map(environment_name),
      },
      show.said,
    ).finally(show.end);
    if (answer.how === "failed") throw new BackupFailed(answer.because, data.path);
    if (answer.answer.did === "nothing")
      throw new BackupFailed("another one is under way; try again when it has ended", data.path);
    const { manifest, pruned, not_advanced } = answer.answer;
    if (not_advanced !== null) terminal.warn(not_advanced);
    terminal.write(
      manifest
        ? `${describe(manifest)}: ${describe_size(manifest.bytes)} in ${manifest.entries} entries, ` +
            `${describe_size(manifest.stored_bytes)} stored, in ${ms(manifest.took_ms)}\n`
        : "the backup command has ended well\n",
    );
    for (const id of pruned) terminal.write(`${id} is gone\n`);
  } finally {
    closeSync(fd);
  }
}
