import { resolve } from "node:path";
import type { Command } from "commander";
import type { DataPlan } from "../config/data.ts";
import { parse_instant } from "../config/instant.ts";
import { read_path, volume_at } from "../config/volume.ts";
import type { Settings } from "../config/load.ts";
import { quoted } from "../config/quoted.ts";
import { describe_size } from "../config/sizes.ts";
import { ms } from "../core/timing.ts";
import { ConfigError, RestoreFailed, UsageError } from "../errors.ts";
import { guard_path } from "../guard/job.ts";
import type { Work } from "../restore/request.ts";
import { look, type OpenLock } from "./look.ts";
import { add_options, flag_options, flags_of, once, read_config } from "./options.ts";
import type { Terminal } from "./terminal.ts";
import { do_work, settings_of } from "./working.ts";

type Options = { backup?: string; targetTime?: string; to?: string; dryRun?: true };

const look_ms = 60_000;

/** `leasehold restore`, `leasehold restore drill`. */
export function add_restore(program: Command, terminal: Terminal, open: OpenLock): void {
  const shown = ["config", "lock", "data", "backup-store", "backup-name"] as const;
  const restore = add_options(program.command("restore"), flag_options, shown)
    .argument("[drill]", "try it in a scratch directory, --to, which is gone again afterwards")
    .option("--backup <ID>", "which one (the newest)", once("--backup"))
    .option("--target-time <T>", "as of then, for a --restore-with that can do that", once("--target-time"))
    .option("--to <DIR>", "into this directory, which is empty; needs no lock", once("--to"))
    .option("--dry-run", "only say what run would do")
    .summary("restore the data by hand")
    .description(
      "Restores the data as leasehold run does before it starts the app: under the lock, which nobody else may hold, with the " +
        "same checks, and what was there is kept. It takes all options of leasehold run.",
    )
    .addHelpText(
      "after",
      "\nExit codes: those of leasehold run; 82 the restore failed, or --dry-run says that it would.\n\nExample:\n" +
        "  leasehold restore --config leasehold.yaml --dry-run",
    );
  restore.action(async (what: string | undefined, options: Options, command: Command) => {
    if (what === "drill") return drill(options, command, terminal);
    if (what !== undefined)
      throw new UsageError(
        `restore ${quoted(what)} is nothing`,
        what,
        "did you mean restore drill, or restore --backup?",
      );
    if (options.dryRun) return dry_run(options, command, terminal, open);
    if (options.to !== undefined) return to_directory(options, command, terminal);
    return under_the_lock(options, command);
  });
}

/** Takes the newest out, runs --restore-check on it, and removes it again. */
async function drill(options: Options, command: Command, terminal: Terminal): Promise<void> {
  if (options.to === undefined)
    throw new UsageError("a drill needs room", "", "give --to, an empty directory or one that isn't there");
  const { backup, took_ms, bytes } = await unpack(options, command, terminal, true);
  terminal.write(`${backup ?? "the data"} can be restored: ${describe_size(bytes)} in ${ms(took_ms)}\n`);
}

function data_of({ data }: Settings): DataPlan {
  if (data === null) throw new UsageError("no data directory is given", "", "give --data, or --config");
  if (data.store === null && data.restore.load === null)
    throw new UsageError("there is nothing to restore from", "", "give --backup-store or --restore-with");
  if (data.store && data.app === null)
    throw new ConfigError("the app's folder in the store has no name", "", "give --backup-name, or --lock");
  return data;
}

/** Of --target-time; null: none is given. A command has to know how to get there. */
function target_of({ targetTime: text }: Options, { restore }: DataPlan): number | null {
  if (text === undefined) return null;
  const target_ms = parse_instant(text, "--target-time");
  if (target_ms > Date.now())
    throw new ConfigError(
      `--target-time is ${quoted(text)}, which is in the future`,
      text,
      "give a time that has passed, or leave it out",
    );
  if (restore.load) return target_ms;
  throw new UsageError(
    "--target-time is given without --restore-with",
    text,
    "give the command that knows points in time, or take a backup by --backup",
  );
}

function request_of(
  { path, store, app, restore }: DataPlan,
  { node, volumes }: Settings,
): Work["plan"]["ask"] {
  const { when, without, fallback, load, check } = restore;
  return {
    ...{
      data: path,
      node,
      policy: { when, without, fallback },
      first_boot: false,
      token: null,
      volume: volume_at(volumes, path)?.path ?? null,
    },
    ...{ store: store && { requirement: store, app: app ?? "" }, load, check },
  };
}

async function dry_run(
  options: Options,
  command: Command,
  terminal: Terminal,
  open: OpenLock,
): Promise<void> {
  const settings = await settings_of(command, terminal);
  const data = data_of(settings);
  const request = request_of(data, settings);
  const [id = null, target_ms] = [options.backup, target_of(options, data)];
  if (id !== null || target_ms !== null) request.policy.when = { kind: "now", id, target_ms };
  if (settings.given.values.lock !== undefined) {
    const lock = await open(await read_config(command));
    try {
      request.first_boot = (await look(lock)).record === null;
    } finally {
      await lock.close();
    }
  }
  const { lines, refused } = await do_work("plan", request, look_ms, terminal);
  terminal.write(lines.map((line) => `${line}\n`).join(""));
  if (refused) throw new RestoreFailed("it would fail; see the line above", "");
}

async function to_directory(options: Options, command: Command, terminal: Terminal): Promise<void> {
  const { backup, took_ms, bytes } = await unpack(options, command, terminal, false);
  terminal.write(`${backup ?? "the data"} is in ${options.to}: ${describe_size(bytes)} in ${ms(took_ms)}\n`);
}

async function unpack(options: Options, command: Command, terminal: Terminal, drill: boolean) {
  const settings = await settings_of(command, terminal);
  const data = data_of(settings);
  const { store, load, check } = request_of(data, settings);
  const to = read_path(resolve(options.to ?? ""), "--to");
  const [id = null, target_ms] = [options.backup, target_of(options, data)];
  const ask = { store, load, check, id, target_ms, to, drill };
  return do_work("unpack", ask, data.restore.timeout_ms, terminal);
}

/** As leasehold run with an app that ends at once: whatever keeps that from doing harm keeps this. */
async function under_the_lock(options: Options, command: Command): Promise<void> {
  const config = await read_config(command);
  const target_ms = target_of(options, data_of(config));
  const flags = Object.entries(flags_of(command)).flatMap(([name, raw]) =>
    (typeof raw === "string" ? [raw] : raw).map((value) => `--${name}=${value}`),
  );
  const backup = options.backup === undefined ? "" : `:${options.backup}`;
  const target = target_ms === null ? "" : `@${new Date(target_ms).toISOString()}`;
  const own = [`--restore=now${backup}${target}`, "--when-busy=exit"];
  const kept = flags.filter((flag) => !/^--(restore|when-busy)=/.test(flag));
  const { spawn } = process.getBuiltinModule("node:child_process");
  const child = spawn(guard_path(), ["run", ...kept, ...own, "--", "true"], { stdio: "inherit" });
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
  process.exitCode = await new Promise<number>((tell, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => tell(code ?? 128 + (signal === "SIGKILL" ? 9 : 15)));
  });
}
