import type { Config } from "../config/load.ts";
import type { Time } from "../core/time.ts";
import { ms_to_ns } from "../core/time.ts";
import { ms } from "../core/timing.ts";
import { load_jobs, run_job } from "../guard/job.ts";
import type { Hook } from "../core/state.ts";
import type { HookEffect, HookResult } from "./perform.ts";

export type VolumeHook = Extract<Hook, "attach" | "verify" | "restore" | "data" | "backup" | "detach">;
type UserHook = Exclude<Hook, VolumeHook>;
type Commands = Readonly<Record<UserHook, readonly string[] | null>>;
export function commands_of(hooks: Config["hooks"]): Commands {
  const { fence, pre_start, post_stop, lost } = hooks;
  return { fence, "pre-start": pre_start, "post-stop": post_stop, lost };
}

export type HookOptions = {
  commands: Commands;
  timeout_ms: number;
  time: Time;
  /** leasehold's own configuration, which no hook sees. */
  unset: readonly string[];
  set: Readonly<Record<string, string>>;
  /** Each line that the hook printed. */
  on_line: (hook: UserHook, line: string) => void;
  volume_work: (hook: VolumeHook, effect: HookEffect) => Promise<HookResult>;
};

/** Lines of one hook that reach the log. */
const lines_max = 20;

/**
 * Runs hooks as jobs of the tenure, with the app's environment: they die with the lease. But for `lost`, whose tenure is over: it
 * must not touch what the lock protects. The volume's work is done by the volumes themselves.
 */
export function hook_runner(options: HookOptions): (effect: HookEffect) => Promise<HookResult> {
  // While we stand by there is time; in a take-over there is none.
  if (Object.values(options.commands).some((command) => command !== null)) void load_jobs();
  return async (effect) => {
    const { hook } = effect;
    if (is_ours(hook)) return options.volume_work(hook, effect);
    const { commands, timeout_ms, time } = options; // each time: a reload changes them
    const command = commands[hook];
    if (!command) return { failure: null, alive: false };
    const { end, stdout, stderr } = await run_job({
      command,
      deadline_ns: time.now_ns() + ms_to_ns(timeout_ms),
      now_ns: () => time.now_ns(),
      ...(hook === "lost" ? {} : { tenure: effect.tenure }),
      page: true,
      app_env: true,
      unset: options.unset,
      set: { ...options.set, ...variables(effect) },
    });
    const lines = `${stdout.toString()}${stderr.toString()}`.split("\n").filter((line) => line !== "");
    for (const line of lines.slice(-lines_max)) options.on_line(hook, line);
    const last = lines.at(-1);
    const said = last === undefined ? "" : `; it said: ${last.slice(0, 200)}`;
    switch (end.how) {
      case "exit":
        return { failure: end.value === 0 ? null : `it ended with code ${end.value}${said}`, alive: false };
      case "signal":
        return { failure: `it ended by signal ${end.value}${said}`, alive: false };
      case "not_executed":
      case "not_forked":
        return { failure: `${command[0]} can't be executed (errno ${end.value})`, alive: false };
      case "killed":
        return { failure: killed(end.why, timeout_ms), alive: false };
      case "undead":
        return { failure: `process ${end.pid} of it can't be killed (state ${end.state})`, alive: true };
    }
  };
}

function is_ours(hook: Hook): hook is VolumeHook {
  return ["attach", "verify", "restore", "data", "backup", "detach"].includes(hook);
}

function killed(why: "deadline" | "order" | "guard", timeout_ms: number): string {
  if (why === "deadline")
    return `it was killed: it took longer than ${ms(timeout_ms)}, or the lease had ended`;
  return why === "order" ? "it was stopped" : "its guard was killed";
}

/** What the hooks are told: of whom they take over, and for the lost hook why. */
function variables({ hook, previous, same_boot, because }: HookEffect): Record<string, string> {
  const fence =
    previous === null
      ? {}
      : {
          LEASEHOLD_FENCE_HOLDER: previous.holder,
          LEASEHOLD_FENCE_INSTANCE: previous.instance,
          LEASEHOLD_FENCE_BOOT_ID: previous.boot_id,
          LEASEHOLD_FENCE_ADDRESS: previous.address ?? "",
          LEASEHOLD_FENCE_TOKEN: previous.claim,
          LEASEHOLD_FENCE_SAME_BOOT: same_boot ? "1" : "0",
        };
  return { LEASEHOLD_HOOK: hook, LEASEHOLD_BECAUSE: because, ...(hook === "fence" ? fence : {}) };
}
