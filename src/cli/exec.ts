import { closeSync, openSync } from "node:fs";
import { Readable } from "node:stream";
import type { Command } from "commander";
import { parse_duration } from "../config/durations.ts";
import { environment_name, option_names } from "../config/options.ts";
import { quoted } from "../config/quoted.ts";
import { exitCodes, UsageError } from "../errors.ts";
import { Decoder, FrameError } from "../guard/frames.ts";
import type { GuardEvent } from "../guard/events.ts";
import { guard_path } from "../guard/job.ts";
import { type LocalGuard, mark_used, page_of, read_page } from "../guard/page.ts";
import { local_guard, not_holding, seeing_controller } from "./local.ts";
import { once } from "./options.ts";
import type { Terminal } from "./terminal.ts";

/** How soon the end of the app is seen; the end of the lease its guard sees by itself, even sooner. */
const look_ms = 100;
/** A job has to have a deadline; this one's is the lease's. */
const far_ns = 2n ** 62n;

/** `leasehold exec`: a command beside the app, which dies with the app, the lease and leasehold. */
export function add_exec(program: Command, argv: readonly string[], { warn }: Terminal): void {
  program
    .command("exec")
    .summary("run a command beside the app")
    .description(
      "Runs a maintenance command beside the app, in its container and as its user, only while the leasehold " +
        "there holds the lock. It is killed, with all that it started, when the app or leasehold ends, and before " +
        "the lock could be another's.",
    )
    .usage("[options] -- COMMAND [ARG...]")
    .argument("[command...]")
    .option("--pid <PID>", "which leasehold, when several run here", once("--pid"))
    .option("--timeout <D>", "stop it after this time (none)", once("--timeout"))
    .addHelpText(
      "after",
      `
Exit codes: the command's own; 75 the lock isn't held here; 124 it was killed.
Ctrl-C and the like reach the command; it has no terminal for job control.

Example:
  docker exec -i db /opt/leasehold/leasehold exec -- mysqldump shop > shop.sql`,
    )
    .action(async (command: string[], { pid, timeout }: { pid?: string; timeout?: string }) => {
      if (argv.indexOf("--") < 0 || argv.at(-1) === "--") {
        const remedy = "e.g. leasehold exec -- mysqldump shop";
        throw new UsageError("exec needs a command after --", command.join(" "), remedy);
      }
      const timeout_ms = timeout === undefined ? null : parse_duration(timeout, "--timeout");
      process.exitCode = await execute(local_guard(pid), command, timeout_ms, warn);
    });
}

async function execute(
  guard: LocalGuard,
  command: readonly string[],
  timeout_ms: number | null,
  warn: (sentence: string) => void,
): Promise<number> {
  // The lock is not given back before we are gone.
  seeing_controller(guard);
  mark_used(guard.page);
  const fd = openSync(guard.page, "r");
  const page = read_page(fd, true);
  if (!page || page.deadline_ns === 0n || !page.app_runs) throw not_holding(guard);
  const { tenure } = page;

  const args = ["job", "--deadline", String(far_ns), "--tenure", String(tenure), "--", ...command];
  const env = environment(page.environment);
  // Loaded here only: it costs every other command 2 ms.
  const { spawn } = process.getBuiltinModule("node:child_process");
  // Before it is there: the command may have been seen to run before spawn returns.
  for (const signal of ["SIGTERM", "SIGHUP"] as const) process.on(signal, () => stop(`it got ${signal}`));
  for (const signal of ["SIGINT", "SIGQUIT", "SIGWINCH", "SIGUSR2"] as const)
    process.on(signal, () => pass_on(signal));
  const job = spawn(guard_path(), args, { stdio: ["inherit", "inherit", "inherit", "pipe", fd], env });
  const seen: { main?: number; killed?: true; failed?: number; ended?: true } = {};
  /** Signals that came before it had begun. */
  const early: NodeJS.Signals[] = [];
  let why = "";
  const stop = (because: string, signal: NodeJS.Signals = "SIGTERM"): void => {
    why ||= because;
    job.kill(signal);
  };
  const report = job.stdio[3];
  const reading = read_report(report, (event) => {
    if (event.event === "started") {
      seen.main = event.pid;
      for (const signal of early) pass_on(signal);
    }
    if (event.event === "killing" && event.why !== "main_ended") seen.killed = true;
    if (event.event === "exited") seen.ended = true;
    if (event.event === "exited" && event.how === "not_executed") seen.failed = event.value;
    if (event.event === "undead")
      warn(`process ${event.pid} of the command can't be killed (state ${event.state})`);
  });

  const watch = setInterval(() => {
    const now = read_page(fd);
    if (page_of(guard.pid)?.id !== guard.id) {
      why ||= "leasehold has died";
      if (report instanceof Readable) report.destroy(); // for its guard the end of all
    } else if (now?.tenure !== tenure || now.deadline_ns === 0n) why ||= "the lease has ended";
    else if (!now.app_runs && why === "") stop("the app has ended");
  }, look_ms);
  const timer = timeout_ms === null ? undefined : setTimeout(() => stop("its time is over"), timeout_ms);
  /** It has a process group of its own, which the terminal doesn't know. */
  function pass_on(signal: NodeJS.Signals): void {
    if (seen.main === undefined) early.push(signal);
    if (seen.main === undefined || seen.ended) return;
    try {
      process.kill(-seen.main, signal);
    } catch {
      // it has ended this very moment
    }
  }

  const code = await new Promise<number | null>((resolve, reject) => {
    job.on("error", reject);
    job.on("close", resolve);
  }).finally(() => {
    clearInterval(watch);
    clearTimeout(timer);
    closeSync(fd);
  });
  await reading;
  if (seen.killed && seen.main === undefined) throw not_holding(guard);
  if (seen.killed) warn(`the command was killed: ${why || "the lease has ended"}`);
  else if (why === "its time is over") warn(`the command was stopped: ${why}`);
  if (seen.failed !== undefined) warn(`${quoted(command[0] ?? "")} can't be executed (errno ${seen.failed})`);
  if (why === "its time is over") return exitCodes.jobKilled;
  return code ?? exitCodes.defect;
}

async function read_report(stream: unknown, on_event: (event: GuardEvent) => void): Promise<void> {
  if (!(stream instanceof Readable)) return;
  const decoder = new Decoder();
  try {
    for await (const chunk of stream) {
      const bytes: unknown = chunk;
      if (Buffer.isBuffer(bytes)) for (const event of decoder.push(bytes)) on_event(event);
    }
  } catch (error) {
    if (error instanceof FrameError) throw error;
  }
}

/**
 * That of the call, without leasehold's own configuration. What the guard keeps from Node, because it is meant for the app, is
 * as the app has it.
 */
function environment(of_app: readonly string[]): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env };
  for (const name of option_names) delete env[environment_name(name)];
  for (const entry of of_app) {
    const [name = ""] = entry.split("=", 1);
    if (/^(NODE|LD)_/.test(name)) env[name] = entry.slice(name.length + 1);
  }
  return env;
}
