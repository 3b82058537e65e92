// Who runs where. Else a third more or less goes by which processes happen to share a processor, and a hundredth isn't to be seen.

import { execFileSync } from "node:child_process";
import { availableParallelism } from "node:os";

/** Starts what comes after it on the one, while what it is measured beside keeps to the other; on a machine with one: nothing. */
export const apart: readonly string[] = availableParallelism() < 2 ? [] : ["taskset", "-c", "0"];

/** To the other: the processes whose names begin so, as if they ran on another machine. Throws when there is none. */
export function keep_away(name: string): void {
  const all = `
    pids=$(grep -l "^${name}" /proc/[0-9]*/comm 2>/dev/null | cut -d/ -f3)
    [ -n "$pids" ] && for pid in $pids; do taskset -a -p -c 1 "$pid"; done`;
  if (apart.length > 0) execFileSync("sh", ["-c", all], { stdio: "ignore" });
}
