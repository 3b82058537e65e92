// What a contender costs: its start, its processes at rest, and the servers.

import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { Contender } from "../../test/support/contenders.ts";
import { descendants, read_process } from "../../test/support/processes.ts";
import { counting_relay } from "./counting.ts";
import { type Line, median_at_most, type Row, single, times } from "./line.ts";
import { type Load, load_of } from "./load.ts";
import { command, type Kind, kinds, ports_of, Scene } from "./scene.ts";
import { node, spawner, with_ends } from "./services.ts";

async function start(runs: number): Promise<Line[]> {
  const lines: Line[] = [];
  const bare: number[] = [];
  for (const kind of kinds) {
    const under = await command(kind, `bench-start-${kind.ours}`, ["/bin/true"]);
    const args = [`${runs}`, `${under.length}`, ...under, node, "-e", "0"];
    const env = { PATH: process.env.PATH, ETCDCTL_API: "3" };
    const { stdout } = await promisify(execFile)(spawner, args, { env, maxBuffer: 1 << 26 });
    const pairs = [...stdout.matchAll(/^(\d+) (\d+)$/gm)].map(([, a, b]) => [
      Number(a) / 1e6,
      Number(b) / 1e6,
    ]);
    bare.push(...pairs.map(([, b]) => b ?? Number.NaN));
    const limit = kind.ours ? median_at_most(150) : undefined;
    lines.push(
      times(
        "start to end with the app `true`, lock free",
        kind.who,
        pairs.map(([a]) => a ?? Number.NaN),
        limit,
      ),
    );
  }
  return [...lines, times("start to end of an empty program", "node -e 0", bare)];
}

/** The processes that are ours, or the wrapper's; not the app. */
function processes_of(contender: Contender, kind: Kind): number[] {
  if (!kind.ours) return [contender.outer];
  const { inner } = contender;
  const app = inner === undefined ? [] : descendants(inner).map(({ pid }) => pid);
  return [contender.outer, ...descendants(contender.outer).map(({ pid }) => pid)].filter(
    (pid) => !app.includes(pid),
  );
}

/** What no other process has, kB. */
function private_kb(pids: readonly number[]): number {
  const all = pids.map((pid) => readFileSync(`/proc/${pid}/smaps_rollup`, "latin1"));
  return all
    .flatMap((text) => [...text.matchAll(/^Private_\w+:\s+(\d+) kB$/gm)].map(([, kb]) => Number(kb)))
    .reduce((a, b) => a + b, 0);
}

/** Time on a processor so far, ns. A thread that ends takes its time along: at rest none does. */
function cpu_ns(pids: readonly number[]): number {
  const of = (pid: number): number =>
    readdirSync(`/proc/${pid}/task`)
      .map((task) => Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "latin1").split(" ")[0]))
      .reduce((a, b) => a + b, 0);
  return pids.map(of).reduce((a, b) => a + b, 0);
}

/** V8 collects what the start has left 8 s after it, and once more. */
const settle_ms = 15_000;

async function rest(kind: Kind, seconds: number): Promise<Line[]> {
  return with_ends(async (ends) => {
    const relays = await Promise.all(
      (await ports_of(kind.backend)).map((port) => counting_relay(ends, port)),
    );
    const bytes = (): number => relays.reduce((sum, one) => sum + one.bytes(), 0);
    const ports = relays.map(({ port }) => port);
    await quiet(kind);
    const idle = await during(kind, seconds);

    const scene = new Scene(ends, kind);
    const holder = await scene.start({ ports, app: ["sleep", "infinity"] });
    if (kind.ours) await holder.line(/the app runs/);
    await sleep(2000);
    const standby = await scene.start({ ports, app: ["sleep", "infinity"] });
    await scene.waits(standby);
    await sleep(kind.ours ? settle_ms : 3000);
    const all = [holder, standby].map((one) => processes_of(one, kind));
    const before = { bytes: bytes(), cpu: all.map(cpu_ns) };
    const load = await during(kind, seconds);
    const per_second = (value: number): string => (value / seconds).toFixed(2);
    const line = (what: string, value: string, limit: Parameters<typeof single>[4] = {}): Line =>
      single(what, kind.who, 1, value, kind.ours ? limit : {});
    const lines = all.flatMap((pids, index) => {
      const part = (100 * (cpu_ns(pids) - (before.cpu[index] ?? 0))) / (seconds * 1e9);
      const mb = private_kb(pids) / 1000;
      const who = index === 0 ? "holder" : "standby";
      const each = pids.map((pid) => `${read_process(pid)?.comm} ${(private_kb([pid]) / 1000).toFixed(1)}`);
      return [
        line(
          `at rest, ${who}: private memory of all its processes (${each.join(", ")})`,
          `${mb.toFixed(1)} MB`,
          { reach: "≤ 35 MB", reached: mb <= 35 },
        ),
        line(`at rest, ${who}: processor, over ${seconds} s`, `${part.toFixed(2)} %`, {
          reach: "≤ 0.2 % of a core",
          reached: part <= 0.2,
        }),
      ];
    });
    const more = {
      writes: Math.max(0, load.writes - idle.writes),
      reads: Math.max(0, load.reads - idle.reads),
      bytes: bytes() - before.bytes,
    };
    return [
      ...lines,
      line(
        `load by an idle holder and a standby, per second: writes, other requests, bytes both ways`,
        `${per_second(more.writes)}, ${per_second(more.reads)}, ${Math.round(more.bytes / seconds)}`,
        { reach: "counted" },
      ),
    ];
  });
}

/** Leases and sessions of what was measured before have ended. */
async function quiet(kind: Kind): Promise<void> {
  for (let tries = 0; tries < 60; tries++) if ((await during(kind, 2)).writes === 0) return;
  throw new Error(`${kind.backend} is written to, and nobody is there`);
}

/** What the servers count in this time. */
async function during(kind: Kind, seconds: number): Promise<Load> {
  const before = await load_of(kind.backend);
  await sleep(seconds * 1000);
  const after = await load_of(kind.backend);
  return { writes: after.writes - before.writes, reads: after.reads - before.reads };
}

export const costs: readonly Row[] = [
  { name: "start", measure: async (runs) => ({ lines: await start(runs(100)) }) },
  {
    name: "rest",
    async measure(runs) {
      const lines: Line[] = [];
      for (const kind of kinds) lines.push(...(await rest(kind, Math.max(10, runs(40)))));
      return { lines };
    },
  },
];
