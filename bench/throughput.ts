// What leasehold costs a database: the same load on the same data with and without it, one run after the other, in pairs.
//
// It is a row of `npm run bench:brain`; by itself it also takes
//
//   --pairs N     of each load (5)
//   --seconds N   of each run (6)
//   --only NAME   one database; may be repeated
//   --control     without leasehold on both sides: what the figures are worth on this machine
//
// It ends with 1 when a ratio is below 0.99, but for the control. It needs root, and an idle machine.

import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { start_etcd } from "../test/support/etcd.ts";
import { etcd_url } from "../test/support/faults-etcd.ts";
import { type Database, postgres, postgres_bin, redis, type Store } from "../test/support/databases.ts";
import { type Line, type Row, table } from "./brain/line.ts";
import { median } from "./figures.ts";
import { Serving, workplace } from "./serving.ts";

const least_ratio = 0.99;

type Load = { name: string; per_second: (store: Store, seconds: number) => number };
type Subject = {
  database: Database;
  /** Over those of the tests, which want small files and much ado about them. */
  settings: readonly string[];
  /** Once, before all runs. */
  fill: (store: Store) => void;
  /** Before each run: takes away what would grow from one to the next. */
  clear: (store: Store) => void;
  /** All of them in each run of the server. */
  loads: readonly Load[];
};

const run = ([program = "", ...args]: readonly string[]): string =>
  execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

function number_of(text: string, pattern: RegExp): number {
  const found = Number(pattern.exec(text)?.[1]);
  if (!(found > 0)) throw new Error(`no figure in ${text}`);
  return found;
}

const pgbench =
  (...how: string[]): Load["per_second"] =>
  ({ client }, duration) => {
    const words = ["-T", `${duration}`, "-c", "8", "-j", "2", ...how];
    return number_of(run([`${postgres_bin}/pgbench`, ...client, ...words, "postgres"]), /^tps = ([\d.]+)/m);
  };

/** It counts requests, not seconds: how many is known from a second's worth of them before. */
const redis_benchmark =
  (what: string): Load["per_second"] =>
  ({ client }, duration) => {
    const times = (count: number): number => {
      const words = ["-t", what, "-n", `${count}`, "-c", "50", "-d", "100", "-r", "100000", "--csv"];
      return number_of(run(["redis-benchmark", ...client, ...words]), /^"[A-Z]+","([\d.]+)"/m);
    };
    return times(Math.ceil(times(50_000) * duration));
  };

const subjects: readonly Subject[] = [
  {
    database: postgres,
    settings: ["shared_buffers=512MB", "max_wal_size=8GB", "checkpoint_timeout=1h"].flatMap((one) => [
      "-c",
      one,
    ]),
    fill: ({ client }) =>
      void run([`${postgres_bin}/pgbench`, ...client, "-i", "-q", "-s", "20", "postgres"]),
    clear: () => {},
    loads: [
      { name: "pgbench, read only", per_second: pgbench("-S") },
      { name: "pgbench, TPC-B-like", per_second: pgbench() },
    ],
  },
  {
    database: redis,
    settings: ["--appendfsync", "everysec", "--auto-aof-rewrite-percentage", "0"],
    fill: () => {},
    clear: ({ data }) => rmSync(join(data, "appendonlydir"), { recursive: true, force: true }),
    loads: ["set", "get"].map((what) => ({
      name: `redis-benchmark, ${what}`,
      per_second: redis_benchmark(what),
    })),
  },
];

/** control: without leasehold on both sides. */
type Plan = { pairs: number; seconds: number; control: boolean };

/** One start of the server, and each load on it; the figures in the loads' order. */
async function round(
  subject: Subject,
  { store, folder, lock, seconds }: { store: Store; folder: string; lock: string | null; seconds: number },
): Promise<number[]> {
  subject.clear(store);
  const serving = await Serving.start({ ...subject, store, folder, lock });
  try {
    subject.loads[0]?.per_second(store, 1); // warm
    return subject.loads.map(({ per_second }) => per_second(store, seconds));
  } finally {
    await serving.stop();
  }
}

type Pair = { without: number[]; with: number[] };

async function measure(subject: Subject, lock: string, { pairs, seconds, control }: Plan): Promise<Pair[]> {
  const place = workplace();
  const store = await subject.database.create(place.folder);
  const first = await Serving.start({ ...subject, store, folder: place.folder, lock: null });
  subject.fill(store);
  await first.stop();
  const sides: Record<keyof Pair, string | null> = { without: null, with: control ? null : lock };
  const all: Pair[] = [];
  for (let index = 0; index < pairs; index++) {
    const pair: Pair = { without: [], with: [] };
    // Who comes first changes: what grows from run to run is on both sides.
    for (const side of index % 2 === 0 ? (["without", "with"] as const) : (["with", "without"] as const))
      pair[side] = await round(subject, { store, folder: place.folder, lock: sides[side], seconds });
    all.push(pair);
    console.error(`${subject.database.name}: ${index + 1} of ${pairs} pairs`);
  }
  await place.remove();
  return all;
}

/** A line for each load: the ratio of the medians, and the least and the greatest one of all pairs. */
function lines_of({ loads }: Subject, all: readonly Pair[], { control, seconds }: Plan): Line[] {
  return loads.map(({ name }, at) => {
    const side = (which: keyof Pair): number[] => all.map((pair) => pair[which][at] ?? Number.NaN);
    const [without, within] = [side("without"), side("with")];
    const ratio = median(within) / median(without);
    const each = within.map((value, index) => value / (without[index] ?? Number.NaN));
    const [before, after] = [median(without), median(within)].map((value) => value.toFixed(0));
    const what = control ? "again without leasehold" : "with leasehold";
    return {
      what: `${name}, ${seconds} s a run: a second ${what} over without (${after} ÷ ${before})`,
      who: "leasehold, etcd",
      figures: [
        `${all.length}`,
        Math.min(...each).toFixed(4),
        ratio.toFixed(4),
        "",
        Math.max(...each).toFixed(4),
      ],
      reach: control ? "–" : `≥ ${least_ratio}`,
      reached: control ? null : ratio >= least_ratio,
    };
  });
}

async function compare(plan: Plan, only: readonly string[] = []): Promise<Line[]> {
  const { etcd, end } = await start_etcd({});
  try {
    await etcd.ready();
    const lock = etcd_url("/throughput")(etcd.members.map(({ port }) => port));
    const lines: Line[] = [];
    for (const subject of subjects)
      if (only.length === 0 || only.includes(subject.database.name))
        lines.push(...lines_of(subject, await measure(subject, lock, plan), plan));
    return lines;
  } finally {
    await end();
  }
}

export const throughput: readonly Row[] = [
  {
    name: "throughput",
    measure: async (runs) => ({
      lines: await compare({ pairs: runs(5), seconds: 6, control: false }),
      notes: [
        "Of `throughput`, *median* is the ratio of the two medians, *least* and *worst* are the extremes of the pairs.",
      ],
    }),
  },
];

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      pairs: { type: "string", default: "5" },
      seconds: { type: "string", default: "6" },
      only: { type: "string", multiple: true, default: [] },
      control: { type: "boolean", default: false },
    },
  });
  const names = subjects.map(({ database }) => database.name);
  const unknown = values.only.filter((name) => !names.includes(name));
  if (unknown.length > 0) throw new Error(`no database ${unknown.join(", ")}; there are ${names.join(", ")}`);
  const plan = { pairs: Number(values.pairs), seconds: Number(values.seconds), control: values.control };
  const lines = await compare(plan, values.only);
  console.log(table(lines));
  if (lines.some(({ reached }) => reached === false)) process.exitCode = 1;
}
