import type { Time } from "../core/time.ts";
import type { Clock } from "../guard/clock.ts";

/** setTimeout takes no more; a longer time is slept in parts. */
const timer_max_ms = 2 ** 31 - 1;

/** The guard's clock, and Node's timers. A suspend makes a timer late, never early. */
export function real_time(clock: Pick<Clock, "now_ns">): Time {
  return {
    now_ns: () => clock.now_ns(),
    after(delay_ms, callback) {
      if (delay_ms > timer_max_ms) {
        let take_back = (): void => {};
        const part = setTimeout(() => {
          take_back = real_time(clock).after(delay_ms - timer_max_ms, callback);
        }, timer_max_ms);
        take_back = () => clearTimeout(part);
        return () => take_back();
      }
      const timer = setTimeout(callback, Math.ceil(delay_ms));
      return () => clearTimeout(timer);
    },
  };
}

/** CLOCK_MONOTONIC as if it were the guard's clock: for commands that only look and hold nothing. */
export function plain_time(): Time {
  return real_time({ now_ns: () => process.hrtime.bigint() });
}
