import type { AppEnd, Ending } from "./state.ts";

/** The codes that the core decides on; docs/exit-codes.md has the whole table. */
export const exit_codes = {
  unreachable: 69,
  defect: 70,
  busy: 75,
  config: 78,
  lease_lost: 80,
  fence_failed: 83,
  hook_failed: 84,
  undead: 86,
  not_executable: 126,
  not_found: 127,
} as const;

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
    case "hook-failed":
      return {
        code: ending.hook === "fence" ? exit_codes.fence_failed : exit_codes.hook_failed,
        because: `the ${ending.hook} hook failed: ${ending.because}`,
      };
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
    case "hook-failed":
      return `the ${ending.hook} hook failed: ${ending.because}`;
    case "refused":
    case "guard":
      return ending.because;
  }
}
