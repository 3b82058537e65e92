import { promisify } from "node:util";
import { GuardLost } from "../errors.ts";
import { Clock } from "./clock.ts";
import { guard_path } from "./job.ts";
import { parse_probe } from "./probe-result.ts";

/**
 * CLOCK_BOOTTIME for who has no guard to tell it, such as the release program: the probe stamps what it does, and looking at /proc
 * touches no disk. A suspend after that is not seen.
 */
export async function boot_clock(guard = guard_path()): Promise<Clock> {
  const { execFile } = process.getBuiltinModule("node:child_process"); // only here: it costs a start 2 ms
  const { stdout } = await promisify(execFile)(guard, ["probe", "fs", "/proc"], { encoding: "buffer" });
  const [stamp] = parse_probe(stdout);
  if (!stamp) throw new GuardLost("its probe gave no time");
  const clock = new Clock();
  clock.sample(stamp.end_ns);
  return clock;
}
