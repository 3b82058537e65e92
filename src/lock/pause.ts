import type { Time } from "../core/time.ts";

/** Resolves after delay_ms, or at once when it is aborted. */
export function pause(time: Time, delay_ms: number, abort: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (abort.aborted) return resolve();
    const end = (): void => {
      take_back();
      abort.removeEventListener("abort", end);
      resolve();
    };
    const take_back = time.after(delay_ms, end);
    abort.addEventListener("abort", end);
  });
}

/** Between a watch that ended and the next one. */
export const rewatch_ms = 500;
