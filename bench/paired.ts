// The same load on the same data with and without leasehold, one run after the other, in pairs.

import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { start_etcd } from "../test/support/etcd.ts";
import { etcd_url } from "../test/support/faults-etcd.ts";
import { type Database, postgres, postgres_bin, redis, type Store } from "../test/support/databases.ts";
import type { Line } from "./brain/line.ts";
import { mean_ratio, median } from "./figures.ts";
import { Serving, workplace } from "./serving.ts";

const least_ratio = 0.99;

type Load = { name: string; per_second: (store: Store, seconds: number) => number };
export type Subject = {
  database: Database;
  /** Over those of the tests, which want small files and much ado about them. */
  settings: readonly string[];
  /** Once, before all runs. */
  fill: (store: Store) => void;
  /** Before each run: takes away what would grow from one to the next. */
  clear: (store: Store) => void;
  /** All of them in each run of the server, after so many seconds of the first one that don't count. */
  loads: readonly Load[];
  warm_s: number;
};

const run = ([program = "", ...args]: readonly string[]): string =>
  execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

class NoFigure extends Error {}

function number_of(text: string, pattern: RegExp): number {
  const found = Number(pattern.exec(text)?.[1]);
  if (!(found > 0)) throw new NoFigure(`no figure in ${text}`);
  return found;
}

export const pgbench =
  (...how: string[]): Load["per_second"] =>
  ({ client }, duration) => {
    const words = ["-T", `${duration}`, "-c", "8", "-j", "2", ...how];
    return number_of(run([`${postgres_bin}/pgbench`, ...client, ...words, "postgres"]), /^tps = ([\d.]+)/m);
  };

/** It counts requests, not seconds: how many is known from a second's worth of them before. */
export const redis_benchmark =
  (what: string): Load["per_second"] =>
  ({ client }, duration) => {
    const times = (count: number): number => {
      const words = ["-t", what, "-n", `${count}`, "-c", "50", "-d", "100", "-r", "100000", "--csv"];
      return number_of(run(["redis-benchmark", ...client, ...words]), /^"[A-Z]+","([\d.]+)"/m);
    };
    return times(Math.ceil(times(50_000) * duration));
  };

/** PostgreSQL with pgbench's tables. scale: of 100,000 accounts. */
export const postgres_with = (
  scale: number,
  settings: readonly string[],
  loads: readonly Load[],
): Subject => ({
  database: postgres,
  settings: settings.flatMap((one) => ["-c", one]),
  fill: ({ client }) =>
    void run([`${postgres_bin}/pgbench`, ...client, "-i", "-q", "-s", `${scale}`, "postgres"]),
  clear: () => {},
  loads,
  warm_s: 1,
});

/** Redis with an append-only file. */
export const redis_with = (whats: readonly string[]): Subject => ({
  database: redis,
  settings: ["--appendfsync", "everysec", "--auto-aof-rewrite-percentage", "0"],
  fill: () => {},
  clear: ({ data }) => rmSync(join(data, "appendonlydir"), { recursive: true, force: true }),
  loads: whats.map((what) => ({ name: `redis-benchmark, ${what}`, per_second: redis_benchmark(what) })),
  warm_s: 1,
});

/** control: without leasehold on both sides. */
export type Plan = { pairs: number; seconds: number; control: boolean };

/** parent: the folder on whose file system the data lies. args: of leasehold, besides the lock. on_ready: of the lock service. */
export type Where = { parent: string; args: readonly string[]; on_ready?: () => void };
const anywhere: Where = { parent: tmpdir(), args: [] };

/** One start of the server, and each load on it; the figures in the loads' order. */
async function round(
  subject: Subject,
  { seconds, ...rest }: { store: Store; folder: string; under: readonly string[] | null; seconds: number },
): Promise<number[]> {
  const { store } = rest;
  subject.clear(store);
  const serving = await Serving.start({ ...subject, ...rest });
  try {
    warm_up(subject, store);
    return subject.loads.map(({ per_second }) => per_second(store, seconds));
  } finally {
    await serving.stop();
  }
}

/** What it brings doesn't count, be it nothing. */
function warm_up({ loads, warm_s }: Subject, store: Store): void {
  try {
    loads[0]?.per_second(store, warm_s);
  } catch (error) {
    if (!(error instanceof NoFigure)) throw error;
  }
}

type Pair = { without: number[]; with: number[] };

async function measure(
  subject: Subject,
  lock: string,
  { pairs, seconds, control }: Plan,
  { parent, args }: Where,
): Promise<Pair[]> {
  const place = workplace(parent);
  const store = await subject.database.create(place.folder);
  const first = await Serving.start({ ...subject, store, folder: place.folder, under: null });
  subject.fill(store);
  await first.stop();
  const leasehold = ["--lock", lock, ...args];
  const sides = { without: null, with: control ? null : leasehold };
  const all: Pair[] = [];
  for (let index = 0; index < pairs; index++) {
    const pair: Pair = { without: [], with: [] };
    // Who comes first changes: what grows from run to run is on both sides.
    for (const side of index % 2 === 0 ? (["without", "with"] as const) : (["with", "without"] as const))
      pair[side] = await round(subject, { store, folder: place.folder, under: sides[side], seconds });
    all.push(pair);
    console.error(`${subject.database.name}: ${index + 1} of ${pairs} pairs`);
  }
  await place.remove();
  return all;
}

/** A line for each load: the mean of the pairs' ratios with its error, and the least and the greatest one of them. */
function lines_of({ loads }: Subject, all: readonly Pair[], { control, seconds }: Plan): Line[] {
  return loads.map(({ name }, at) => {
    const side = (which: keyof Pair): number[] => all.map((pair) => pair[which][at] ?? Number.NaN);
    const [without, within] = [side("without"), side("with")];
    const each = within.map((value, index) => value / (without[index] ?? Number.NaN));
    const ratio = mean_ratio(each);
    const [before, after] = [median(without), median(within)].map((value) => value.toFixed(0));
    const what = control ? "again without leasehold" : "with leasehold";
    return {
      what: `${name}, ${seconds} s a run: a second ${what} over without (${after} ÷ ${before})`,
      who: "leasehold, etcd",
      figures: [`${all.length}`, Math.min(...each).toFixed(4), ratio.text, "", Math.max(...each).toFixed(4)],
      reach: control ? "–" : `≥ ${least_ratio}`,
      reached: control ? null : ratio.mean >= least_ratio,
    };
  });
}

export async function compare(
  plan: Plan,
  subjects: readonly Subject[],
  where: Where = anywhere,
): Promise<Line[]> {
  const { etcd, end } = await start_etcd({});
  try {
    await etcd.ready();
    where.on_ready?.();
    const lock = etcd_url("/throughput")(etcd.members.map(({ port }) => port));
    const lines: Line[] = [];
    for (const subject of subjects)
      lines.push(...lines_of(subject, await measure(subject, lock, plan, where), plan));
    return lines;
  } finally {
    await end();
  }
}
