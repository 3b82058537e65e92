// How soon after the loss of its volume the app is dead, and whether HTTP answers while a volume hangs.

import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { compile } from "../../test/support/hand.ts";
import { HttpPoll } from "../../test/support/http-poll.ts";
import { free_ports } from "../../test/support/zookeeper.ts";
import { quantile } from "../figures.ts";
import { type Line, median_at_most, type Row, single, times, worst_at_most } from "./line.ts";
import { mounted, type Mounting } from "./mounted.ts";
import { type Kind, Scene } from "./scene.ts";
import { now_ns, with_ends } from "./services.ts";
import { until_dead_ms } from "./watching.ts";

const kind: Kind = { who: "leasehold, etcd", backend: "etcd", ours: true };
const unmount = compile("bench/brain/unmount.c");

async function unmounted_once(what: Mounting, how: "now" | "lazily", run: number): Promise<number | null> {
  return with_ends(async (ends) => {
    const { path, wrapper, keeper } = await mounted(ends, what);
    const scene = new Scene(ends, kind);
    const args = ["--volume", path];
    await scene.start({ wrapper, args, stamper: ["daemon", "ignore"] });
    const pids = (await scene.first(2)).map(({ pid }) => pid);
    // Beats and proofs come and go: it meets them at any point.
    await sleep(200 + ((run * 37) % 100) * 10);
    return until_dead_ms(pids, async () => {
      const { stdout } = await promisify(execFile)(unmount, [`${keeper}`, path, how]);
      return BigInt(stdout.trim());
    });
  });
}

async function unmounted(runs: number): Promise<Line[]> {
  const lines: Line[] = [];
  for (const what of ["ext4", "tmpfs", "bind"] as const)
    for (const how of ["now", "lazily"] as const) {
      const values: (number | null)[] = [];
      for (let run = 0; run < runs; run++) values.push(await unmounted_once(what, how, run));
      const name = `volume (${what}) unmounted${how === "now" ? "" : " lazily"} → app's tree dead`;
      lines.push(times(name, kind.who, values, median_at_most(20)));
    }
  return lines;
}

const limit_ms = 1000;
const misses = 2;

/** http_ms: each answer's time meanwhile. */
type Hang = { dead_ms: number | null; http_ms: readonly number[]; failed: number };

async function hung_once(run: number): Promise<Hang> {
  return with_ends(async (ends) => {
    const { path, wrapper, keeper } = await mounted(ends, "bindfs");
    const scene = new Scene(ends, kind);
    const [port = 0] = await free_ports(1);
    const volume = `${path},type=fuse,probe=250ms/${limit_ms}ms×${misses}`;
    const args = ["--volume", volume, "--listen", `${port}`];
    await scene.start({ wrapper, args, stamper: ["daemon", "ignore"] });
    const pids = (await scene.first(2)).map(({ pid }) => pid);
    await sleep(500 + ((run * 37) % 100) * 5);
    const poll = new HttpPoll(`http://127.0.0.1:${port}/status`, 10);
    const hang = async (): Promise<bigint> => {
      const at_ns = now_ns();
      process.kill(keeper, "SIGSTOP");
      return at_ns;
    };
    const dead_ms = await until_dead_ms(pids, hang, 20_000);
    const { failed } = await poll.end();
    return { dead_ms, http_ms: poll.took_ms, failed };
  });
}

async function hung(runs: number): Promise<Line[]> {
  const all: Hang[] = [];
  for (let run = 0; run < runs; run++) all.push(await hung_once(run));
  const http_ms = all.flatMap((one) => one.http_ms);
  const failed = all.reduce((sum, one) => sum + one.failed, 0);
  const p99_ms = quantile(http_ms, 0.99);
  const within_ms = limit_ms * misses + 1000;
  const reach = `limit × misses + 1 s: ${within_ms} ms`;
  return [
    times(
      `volume hangs, \`probe=250ms/${limit_ms}ms×${misses}\` → app's tree dead`,
      kind.who,
      all.map(({ dead_ms }) => dead_ms),
      worst_at_most(within_ms, reach),
    ),
    single(
      `– HTTP meanwhile, asked every 10 ms: p99 of ${http_ms.length} answers, ${failed} failed`,
      kind.who,
      runs,
      `${p99_ms.toFixed(1)} ms`,
      { reach: "p99 ≤ 50 ms, none failed", reached: p99_ms <= 50 && failed === 0 },
    ),
  ];
}

export const lost_volumes: readonly Row[] = [
  { name: "unmounted", measure: async (runs) => ({ lines: await unmounted(runs(30)) }) },
  { name: "hung", measure: async (runs) => ({ lines: await hung(runs(20)) }) },
];
