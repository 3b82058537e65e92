import type { AppEnd, Ending, Hook } from "./state.ts";

/** The codes that the core decides on; docs/exit-codes.md has the whole table. */
export const exit_codes = {
  unreachable: 69,
  defect: 70,
  volume_failed: 74,
  busy: 75,
  config: 78,
  lease_lost: 80,
  volume_lost: 81,
  restore_failed: 82,
  fence_failed: 83,
  hook_failed: 84,
  never_ready: 85,
  undead: 86,
  not_executable: 126,
  not_found: 127,
} as const;

const failure_codes: Record<Hook, number> = {
  fence: exit_codes.fence_failed,
  attach: exit_codes.volume_failed,
  verify: exit_codes.volume_failed,
  restore: exit_codes.restore_failed,
  data: exit_codes.volume_failed,
  "pre-start": exit_codes.hook_failed,
  backup: exit_codes.hook_failed,
  "post-stop": exit_codes.hook_failed,
  detach: exit_codes.hook_failed,
  lost: exit_codes.hook_failed,
};

/** errno: no such file or directory. */
const ENOENT = 2;

/** What the app's end is as an exit code. */
function app_code(end: AppEnd): number {
  switch (end.how) {
    case "exit":
      return end.value;
    case "signal":
      return 128 + end.value;
    case "not_executed":
      return end.value === ENOENT ? exit_codes.not_found : exit_codes.not_executable;
    case "not_forked":
      return exit_codes.defect;
  }
}

/** The exit code and its sentence. end: null when the app was never started. */
export function outcome(ending: Ending, end: AppEnd | null): { code: number; because: string } {
  const told = end ? `the app ${tell(end)}` : "the app was not started";
  switch (ending.why) {
    case "app-ended":
      return { code: end ? app_code(end) : exit_codes.defect, because: told };
    case "stop-requested":
      return {
        code: end ? app_code(end) : 128 + ending.signal,
        because: `stopped by signal ${ending.signal}: ${told}`,
      };
    case "lease-lost":
      return { code: exit_codes.lease_lost, because: `the lease was lost: ${ending.because}` };
    case "volume-lost":
      return { code: exit_codes.volume_lost, because: `the volume was lost: ${ending.because}` };
    case "hook-failed":
      return { code: failure_codes[ending.hook], because: failed(ending.hook, ending.because) };
    case "never-ready":
      return { code: exit_codes.never_ready, because: ending.because };
    case "refused":
      return { code: exit_codes.config, because: ending.because };
    case "guard":
      return { code: exit_codes.defect, because: ending.because };
  }
}

export function tell(end: AppEnd): string {
  switch (end.how) {
    case "exit":
      return `ended with code ${end.value}`;
    case "signal":
      return `ended by signal ${end.value}`;
    case "not_executed":
      return end.value === ENOENT ? "was not found" : `can't be executed (errno ${end.value})`;
    case "not_forked":
      return `could not be forked (errno ${end.value})`;
  }
}

/** Why a tenure ends, as the sentence that is logged when it begins to. */
export function reason(ending: Ending): string {
  switch (ending.why) {
    case "app-ended":
      return "the app has ended";
    case "stop-requested":
      return `stopping: signal ${ending.signal}`;
    case "lease-lost":
      return `the lease is lost: ${ending.because}`;
    case "volume-lost":
      return `the volume is lost: ${ending.because}`;
    case "hook-failed":
      return failed(ending.hook, ending.because);
    case "never-ready":
    case "refused":
    case "guard":
      return ending.because;
  }
}

/** What failed, as a sentence. The volume's work is none of the user's hooks, and is not called one. */
export function failed(hook: Hook, because: string): string {
  switch (hook) {
    case "attach":
      return `the volume could not be attached: ${because}`;
    case "verify":
      return `the volume failed its checks: ${because}`;
    case "restore":
      return `the data could not be restored: ${because}`;
    case "data":
      return `the data directory failed its checks: ${because}`;
    case "backup":
      return `the backup after the stop failed: ${because}`;
    case "detach":
      return `the volume could not be detached: ${because}`;
    default:
      return `the ${hook} hook failed: ${because}`;
  }
}
