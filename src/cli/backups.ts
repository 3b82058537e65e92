import type { Command } from "commander";
import { type Backup, whole_newest_first } from "../backup/catalogue.ts";
import { escaped } from "../config/quoted.ts";
import { describe_size } from "../config/sizes.ts";
import { ms } from "../core/timing.ts";
import { RestoreFailed } from "../errors.ts";
import { format_option } from "./format.ts";
import { add_options } from "./options.ts";
import type { Terminal } from "./terminal.ts";
import { do_work, settings_of, store_of, store_options } from "./working.ts";

/** A store that hangs is said to hang. */
const look_ms = 60_000;
const long_ms = 24 * 3_600_000;

/** `leasehold backups list|show|verify|prune`. */
export function add_backups(program: Command, terminal: Terminal): void {
  const { write } = terminal;
  const backups = program.command("backups").summary("list, verify and remove backups");
  backups.description("Lists, shows, verifies and removes the backups in a store.");
  backups.addHelpText("after", "\nExample:\n  leasehold backups list --config leasehold.yaml");
  const shown = ["backup-store", "backup-name", "config"] as const;

  add_options(backups.command("list"), store_options, shown)
    .addOption(format_option(["text", "json"]))
    .summary("print all, the newest first")
    .description("Prints all backups, the newest first. What is not whole is never restored; it says why.")
    .addHelpText("after", "\nExample:\n  leasehold backups list --backup-store /backups --backup-name mysql")
    .action(async ({ format }: { format?: string }, command: Command) => {
      const store = store_of(await settings_of(command, terminal));
      const { backups: found } = await do_work("list", { store }, look_ms, terminal);
      const rest = found.filter(({ how }) => how !== "whole").toSorted((a, b) => (a.id < b.id ? 1 : -1));
      const sorted = [...whole_newest_first(found), ...rest];
      write(format === "json" ? `${JSON.stringify(sorted, null, 2)}\n` : table(sorted, Date.now()));
    });

  add_options(backups.command("show"), store_options, shown)
    .argument("<id>")
    .summary("print all about one")
    .description("Prints what one backup says of itself, as JSON.")
    .addHelpText(
      "after",
      "\nExample:\n  leasehold backups show 20261125T030000Z-1f2e3d4c --config leasehold.yaml",
    )
    .action(async (id: string, _options: unknown, command: Command) => {
      const store = store_of(await settings_of(command, terminal));
      const { backups: found } = await do_work("list", { store }, look_ms, terminal);
      const backup = found.find((one) => one.id === id);
      if (!backup) throw no_backup(id);
      write(`${JSON.stringify(backup, null, 2)}\n`);
    });

  add_options(backups.command("verify"), store_options, shown)
    .argument("[id...]", "all that are whole, if none is given")
    .summary("read them to the end")
    .description(
      "Reads backups to the end, compares them with their checksums, and remembers what was found.",
    )
    .addHelpText(
      "after",
      "\nExit code: 82 when one is damaged.\n\nExample:\n  leasehold backups verify --config leasehold.yaml",
    )
    .action(async (ids: string[], _options: unknown, command: Command) => {
      const store = store_of(await settings_of(command, terminal));
      const { verified } = await do_work("verify", { store, ids }, long_ms, terminal);
      for (const { id, failure } of verified) write(`${id} ${failure === null ? "ok" : escaped(failure)}\n`);
      const bad = verified.filter(({ failure }) => failure !== null);
      const [first] = bad;
      if (first) {
        const what = `${bad.length} of ${verified.length} backups can't be restored, ${first.id}: ${first.failure}`;
        throw new RestoreFailed(`${what}; make a new one, and look at the store`, first.id);
      }
    });

  add_options(
    backups.command("prune"),
    [...store_options, "backup-keep", "backup-keep-for"],
    [...shown, "backup-keep", "backup-keep-for"],
  )
    .option("--dry-run", "only print what would go")
    .summary("remove what is not to be kept")
    .description(
      "Removes old backups as after each backup, and those that were left unfinished a day ago. The newest good one stays.",
    )
    .addHelpText(
      "after",
      "\nExample:\n  leasehold backups prune --config leasehold.yaml --backup-keep 3 --dry-run",
    )
    .action(async ({ dryRun = false }: { dryRun?: boolean }, command: Command) => {
      const settings = await settings_of(command, terminal);
      const { "backup-keep": keep = 7, "backup-keep-for": keep_for_ms = null } = settings.given.values;
      const retention = { keep: keep === 0 ? null : keep, keep_for_ms };
      const store = store_of(settings);
      const { pruned } = await do_work("prune", { store, retention, dry_run: dryRun }, look_ms, terminal);
      for (const id of pruned) write(`${id} ${dryRun ? "would go" : "is gone"}\n`);
    });
}

function no_backup(id: string): RestoreFailed {
  return new RestoreFailed(`there is no backup ${id} in the store; see leasehold backups list`, id);
}

function table(backups: readonly Backup[], now_ms: number): string {
  if (backups.length === 0) return "there is no backup\n";
  return backups.map((backup) => `${backup.id}  ${line(backup, now_ms)}\n`).join("");
}

function line(backup: Backup, now_ms: number): string {
  switch (backup.how) {
    case "unfinished":
      return "unfinished";
    case "damaged":
    case "newer":
      return escaped(backup.because);
    case "whole": {
      const { created, token, node, bytes, stored_bytes, entries } = backup.manifest;
      const age = ms(Math.max(0, now_ms - Date.parse(created)));
      const { verified } = backup;
      const found = verified === null ? "not verified" : (verified.failure ?? `verified ${verified.at}`);
      const size = `${describe_size(bytes)} in ${entries} entries, ${describe_size(stored_bytes)} stored`;
      return `${size}, ${age} old, token ${token ?? "none"}, of ${escaped(node)}, ${escaped(found)}`;
    }
  }
}
