// What is measured, one function for each row of the table.

import { execFileSync, spawn } from "node:child_process";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { median, times, worst, type Line } from "./figures.ts";
import { look, makeCgroup, remember, end, removeCgroup } from "./proc.ts";
import { TooBusy, watch, withTree, type Deaths, type Setup } from "./run.ts";
import * as tools from "./tools.ts";

export interface Row {
  readonly name: string;
  readonly runs: number;
  /** A text instead of lines: why it can't be measured here. */
  readonly measure: (runs: number) => Promise<Line[] | string>;
}

const noRoot = (): string | null => (process.getuid?.() === 0 ? null : "it needs root");
const noCgroup = "it needs root and cgroup v1";
const ms = (ns: bigint): number => Number(ns) / 1e6;

/** From this instant to the last death; a process that lives on counts with a second. */
function lateness(deaths: Deaths, from_ns = deaths.instant_ns): number {
  return worst(deaths.died_ns.map((at) => (at === null ? 1000 : ms(at - from_ns))));
}
const survivors = (all: readonly Deaths[]): number =>
  all.flatMap((deaths) => deaths.died_ns).filter((at) => at === null).length;

/** Runs that could not be watched, with the reason. They are done again, and the table says so. */
export const again: string[] = [];

async function repeat<T>(runs: number, one: (run: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  const before = again.length;
  while (results.length < runs) {
    try {
      results.push(await one(results.length));
    } catch (error) {
      if (!(error instanceof TooBusy) || again.push(error.message) - before > 5 + runs / 20) throw error;
    }
    if (process.stderr.isTTY) process.stderr.write(`\r${results.length} of ${runs} `);
  }
  return results;
}

/** The deadlines are spread over 100 ms, so that they meet the periods of scheduler and quota at every point. */
async function deadline(
  what: string,
  runs: number,
  setup: Setup,
  reach: string,
  limits: [median: number, worst: number],
): Promise<Line[]> {
  const all = await repeat(runs, async (run) =>
    withTree({ ...setup, ttl_ms: setup.ttl_ms + ((run * 37) % 100) }, async (tree) =>
      watch(tree, ["at", tree.deadline_ns], setup.ttl_ms),
    ),
  );
  const late = all.map((deaths) => lateness(deaths));
  const left = survivors(all);
  const reached = left === 0 && median(late) <= limits[0] && worst(late) <= limits[1];
  return [times(what, late, { survivors: `${left}`, reach, reached })];
}

async function asleep(runs: number): Promise<Line[]> {
  const reach = "median ≤ 1 ms, worst ≤ 10 ms, survivors 0";
  return deadline("deadline → tree dead, app asleep", runs, { ttl_ms: 250 }, reach, [1, 10]);
}

const margin = "worst ≤ 500 ms, survivors 0";

async function busy(what: string, runs: number, setup: Partial<Setup>): Promise<Line[]> {
  const text = `deadline → tree dead, 11 busy processes, ${what}`;
  return deadline(text, runs, { ttl_ms: 900, busy: 11, ...setup }, margin, [500, 500]);
}

async function quota(runs: number): Promise<Line[] | string> {
  const cgroup = makeCgroup("cpu");
  if (cgroup === null) return noCgroup;
  try {
    writeFileSync(join(cgroup, "cpu.cfs_period_us"), "100000");
    writeFileSync(join(cgroup, "cpu.cfs_quota_us"), "20000");
    return await busy("unprivileged, under a quota of 20 % of a core", runs, { unprivileged: true, cgroup });
  } finally {
    removeCgroup(cgroup);
  }
}

async function killed(role: "outer" | "inner", runs: number): Promise<Line[]> {
  const all = await repeat(runs, async () =>
    withTree({ ttl_ms: 10_000 }, async (tree) => watch(tree, ["kill", tree[role].pid])),
  );
  const late = all.map((deaths) => lateness(deaths));
  const left = survivors(all);
  const reached = left === 0 && worst(late) <= 50;
  return [
    times(`\`kill -9\` of ${role} → tree dead`, late, {
      survivors: `${left}`,
      reach: "worst ≤ 50 ms, survivors 0",
      reached,
    }),
  ];
}

/** From the earlier of the grace's end and the deadline. A death before that would be a defect, too. */
async function orphaned(what: string, runs: number, ttl_ms: number, grace_ms: number): Promise<Line[]> {
  const grace_ns = BigInt(grace_ms) * 1_000_000n;
  const all = await repeat(runs, async () =>
    withTree({ ttl_ms, grace_ms }, async (tree) => {
      const deaths = await watch(tree, ["kill", tree.controller.pid], Math.min(ttl_ms, grace_ms));
      const due_ns = deaths.instant_ns + grace_ns;
      return { deaths, due_ns: due_ns < tree.deadline_ns ? due_ns : tree.deadline_ns };
    }),
  );
  const late = all.map(({ deaths, due_ns }) => lateness(deaths, due_ns));
  const early = all.filter(({ deaths, due_ns }) =>
    deaths.died_ns.some((at) => at !== null && at < due_ns),
  ).length;
  const left = survivors(all.map(({ deaths }) => deaths));
  const reached = left === 0 && early === 0 && worst(late) <= 50;
  return [
    times(`\`kill -9\` of the controller, ${what} → tree dead, after that`, late, {
      survivors: `${left}${early > 0 ? `; ${early} runs too early` : ""}`,
      reach: "then and not before (taken as: within 50 ms), survivors 0",
      reached,
    }),
  ];
}

async function size(): Promise<Line[]> {
  const { size: bytes } = statSync(tools.guard);
  return [single("size of the guard, bytes", [`${bytes}`], "≤ 64 kB (musl)", bytes <= 64_000)];
}

function single(what: string, values: string[], reach: string, reached: boolean): Line {
  const [value = ""] = values;
  return { what, figures: ["1", "", value, "", ""], survivors: "", reach, reached };
}

const kinds = ["Rss", "Pss", "Private"] as const;

/** In kB. Private is what no other process has: clean and dirty. */
function memoryOf(pid: number): Record<(typeof kinds)[number], number> {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "latin1");
  const sum = (name: string): number =>
    [...text.matchAll(new RegExp(`^${name}:\\s+(\\d+) kB`, "gm"))].reduce(
      (total, [, kB]) => total + Number(kB),
      0,
    );
  return { Rss: sum("Rss"), Pss: sum("Pss"), Private: sum("Private_(?:Clean|Dirty)") };
}

async function memory(): Promise<Line[]> {
  return withTree({ ttl_ms: 1500 }, async ({ outer, inner, pump }) => {
    const job = spawn(tools.guard, ["job", "--deadline", `${10n ** 18n}`, "--", tools.app, "0"], {
      stdio: ["ignore", "pipe", "ignore", "pipe"], // 3: a socket, as it must be
    });
    const ended = new Promise((resolve) => job.once("exit", resolve));
    const proc = look(job.pid ?? 0);
    if (!proc) throw new Error("the job guard can't be started");
    remember([proc]);
    try {
      await new Promise((resolve) => job.stdout?.once("data", resolve));
      await sleep(100); // all have done their starting, and sleep
      const roles = { outer: outer.pid, inner: inner.pid, pump: pump.pid, job: proc.pid };
      const each = Object.entries(roles).map(([role, pid]) => ({ role, ...memoryOf(pid) }));
      return kinds.map((kind) => {
        const total = each.reduce((sum, one) => sum + one[kind], 0);
        const parts = each.map((one) => `${one.role} ${one[kind]}`).join(", ");
        return single(
          `memory at rest, ${kind}, kB (${parts})`,
          [`${total}`],
          "≤ 1 MB together",
          total <= 1000,
        );
      });
    } finally {
      job.stdio[3]?.destroy(); // its end is the job's end
      await Promise.race([ended, sleep(1000)]);
      end([proc.pid]);
    }
  });
}

async function alone(runs: number): Promise<Line[]> {
  const bare = "/bin/true";
  const guarded = [tools.guard, "guard", tools.controller, "5000", "--", bare];
  const out = execFileSync(tools.spawner, [`${runs}`, "1", bare, ...guarded], { encoding: "utf8" });
  const pairs = out
    .trim()
    .split("\n")
    .map((line) => line.split(" ").map((ns) => Number(ns) / 1e6));
  const column = (index: 0 | 1): number[] => pairs.map((pair) => pair[index] ?? Number.NaN);
  const more = pairs.map(([a = Number.NaN, b = Number.NaN]) => b - a);
  const rest = { survivors: "", reach: "≤ 3 ms", reached: median(more) <= 3 };
  const part = { survivors: "", reach: "–", reached: null };
  return [
    times(
      "guard alone: `guard controller 5000 -- true` over bare `true`, the difference of each pair",
      more,
      rest,
    ),
    times("– bare `true`", column(0), part),
    times("– under the guard", column(1), part),
  ];
}

async function frozen(loops: number, runs: number): Promise<Line[] | string> {
  const cgroup = makeCgroup("freezer");
  if (cgroup === null) return noCgroup;
  const state = join(cgroup, "freezer.state");
  const stamps = join(tools.directory, "stamps");
  const last = (): bigint => {
    const bytes = readFileSync(stamps);
    const slots = Array.from({ length: loops + 1 }, (_, slot) => bytes.readBigUInt64LE(slot * 64));
    return slots.reduce((a, b) => (a > b ? a : b));
  };
  try {
    const all = await repeat(runs, async () => {
      writeFileSync(stamps, "");
      return withTree({ ttl_ms: 400, busy: loops, stamps, cgroup }, async (tree) => {
        do writeFileSync(state, "FROZEN");
        while (readFileSync(state, "latin1").trim() !== "FROZEN");
        if (last() >= tree.deadline_ns) throw new TooBusy("it was frozen too late");
        await sleep(600);
        const deaths = await watch(tree, ["thaw", state]);
        if (deaths.instant_ns <= tree.deadline_ns) throw new TooBusy("it was thawed too early");
        return { deaths, ranOn: Math.max(0, ms(last() - deaths.instant_ns)) };
      });
    });
    const what = loops === 0 ? "idle" : `${loops} busy loops`;
    const left = survivors(all.map(({ deaths }) => deaths));
    const ranOn = all.map((one) => one.ranOn);
    const part = { survivors: `${left}`, reach: "reported", reached: null };
    return [
      times(
        `frozen past the deadline, ${what}: thaw → the app's last step (${ranOn.filter((t) => t > 0).length} runs had one)`,
        ranOn,
        part,
      ),
      times(
        `frozen past the deadline, ${what}: thaw → tree dead`,
        all.map(({ deaths }) => lateness(deaths)),
        part,
      ),
    ];
  } finally {
    removeCgroup(cgroup);
  }
}

export const rows: readonly Row[] = [
  { name: "asleep", runs: 200, measure: asleep },
  {
    name: "busy",
    runs: 200,
    measure: async (n) => noRoot() ?? busy("unprivileged", n, { unprivileged: true }),
  },
  { name: "busy-root", runs: 200, measure: async (n) => noRoot() ?? busy("as root", n, {}) },
  { name: "quota", runs: 200, measure: quota },
  { name: "kill-outer", runs: 100, measure: async (n) => killed("outer", n) },
  { name: "kill-inner", runs: 100, measure: async (n) => killed("inner", n) },
  { name: "kill-controller-grace", runs: 50, measure: async (n) => orphaned("grace 200 ms", n, 5000, 200) },
  {
    name: "kill-controller-deadline",
    runs: 50,
    measure: async (n) => orphaned("deadline before the grace", n, 500, 5000),
  },
  { name: "size", runs: 1, measure: size },
  { name: "memory", runs: 1, measure: memory },
  { name: "alone", runs: 300, measure: alone },
  { name: "frozen", runs: 30, measure: async (n) => frozen(0, n) },
  { name: "frozen-busy", runs: 30, measure: async (n) => frozen(2, n) },
];
