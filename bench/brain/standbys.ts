// A thousand standbys on one lock, from four processes, beside two contenders: release → the next one has it.

import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { median } from "../figures.ts";
import { type Line, type Row, times } from "./line.ts";
import type { Told } from "./pool.ts";
import { kinds, ports_of } from "./scene.ts";
import { ms_between, with_ends } from "./services.ts";

const pool = join(import.meta.dirname, "pool.ts");
const patience_ms = 60_000;

/** From the release to the next holder, so many times. */
async function hand_overs(url: string, pools: readonly number[], runs: number): Promise<number[]> {
  return with_ends(async (ends) => {
    let holder: ChildProcess | undefined;
    let taken_ns = 0n;
    let released_ns = 0n;
    let standing = 0;
    let ended: string | undefined;
    for (const count of pools) {
      const child = fork(pool, [url, `${count}`], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
      ends.after(async () => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const exited = new Promise((resolve) => child.once("exit", resolve));
        child.kill("SIGKILL");
        await exited;
      });
      child.on("exit", (code) => (ended = `a process of the pool ended with ${code}`));
      child.on("message", (told: Told) => {
        if (told.what === "standing") standing += 1;
        else if (told.what === "released") released_ns = BigInt(told.at_ns);
        else [holder, taken_ns] = [child, BigInt(told.at_ns)];
      });
    }
    const until = async (what: string, holds: () => boolean, long_ms = patience_ms): Promise<void> => {
      for (const end = performance.now() + long_ms; !holds(); await sleep(5)) {
        if (ended !== undefined) throw new Error(ended);
        if (performance.now() > end) throw new Error(`${what} did not come within ${long_ms} ms`);
      }
    };
    await until("the standbys", () => standing === pools.length, 5 * patience_ms);
    const values: number[] = [];
    for (let run = 0; run < runs; run++) {
      await sleep(3000); // all of them wait again
      const before = holder;
      holder = undefined;
      before?.send("release");
      await until("the next holder", () => holder !== undefined);
      await sleep(20); // both messages are here
      values.push(ms_between(released_ns, taken_ns));
    }
    return values;
  });
}

async function measure(runs: number): Promise<Line[]> {
  const lines: Line[] = [];
  for (const { who, backend } of kinds.filter(({ ours }) => ours)) {
    const hosts = (await ports_of(backend)).map((port) => `127.0.0.1:${port}`).join(",");
    const url = (name: string): string => `${backend === "etcd" ? "etcd" : "zk"}://${hosts}/bench-${name}`;
    const two = await hand_overs(url("two"), [1, 1], runs);
    const many = await hand_overs(url("many"), [1, 250, 250, 250, 250], runs);
    const limit_ms = 2 * median(two);
    const reach = `median ≤ 2 × ${median(two).toFixed(1)} ms`;
    lines.push(
      times("release → the next one has the lock, two contenders", who, two),
      times("release → the next one has the lock, 1,000 standbys", who, many, {
        reach,
        holds: (values) => median(values) <= limit_ms,
      }),
    );
  }
  return lines;
}

export const standbys: readonly Row[] = [
  { name: "standbys", measure: async (runs) => ({ lines: await measure(runs(30)) }) },
];
