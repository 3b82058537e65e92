// When processes die, as bench/watch.c sees it, while something is done to them.

import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { ms_between, now_ns, watch } from "./services.ts";

/** From the instant that act() tells until the last of them is dead; null: not within so long. */
export async function until_dead_ms(
  pids: readonly number[],
  act: () => Promise<bigint>,
  patience_ms = 5000,
): Promise<number | null> {
  const args = [`${patience_ms}`, "at", `${now_ns()}`, ...pids.map(String)];
  const watching = promisify(execFile)(watch, args);
  await sleep(100);
  const acted_ns = await act();
  const { stdout } = await watching;
  const [[ready = "0"] = [], ...deaths] = stdout
    .trim()
    .split("\n")
    .map((line) => line.split(" "));
  if (BigInt(ready) > acted_ns)
    throw new Error("the machine is too busy: the watching began after the event");
  const died_ns = deaths.map(([, at = "0"]) => BigInt(at));
  if (died_ns.includes(0n)) return null;
  return Math.max(...died_ns.map((at) => ms_between(acted_ns, at)));
}
