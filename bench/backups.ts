// The built-in store beside tar and zstd at the same level, in pairs: backup, and restore of the same archive; each ends when all of it is
// flushed.
//
// Two rows of `npm run bench:brain`; by itself it also takes
//
//   --size GB     of the data (1); ten times that lie in TMPDIR at most
//   --pairs N     (5)
//
// It ends with 1 when a ratio is below 0.9.

import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { malloc_environment } from "../src/backup/memory.ts";
import { type Line, type Row, single, table } from "./brain/line.ts";
import { median } from "./figures.ts";

const least_ratio = 0.9;
const file_bytes = 64 << 20;
const page_bytes = 8192;

/** As a database's files are: pages of which some is text, some looks random, and some is empty. */
function fill(folder: string, bytes: number): void {
  const { randomFillSync, randomInt } = process.getBuiltinModule("node:crypto");
  const words = Array.from({ length: 5000 }, () =>
    Math.random()
      .toString(36)
      .slice(2, 3 + randomInt(8)),
  );
  const text = (): string => Array.from({ length: 700 }, () => words[randomInt(words.length)]).join(" ");
  const texts = Array.from({ length: 2000 }, () => Buffer.from(text()).subarray(0, page_bytes / 2));
  const page = Buffer.alloc(page_bytes);
  for (let file = 0; file * file_bytes < bytes; file++) {
    const fd = openSync(join(folder, `${file}`), "wx");
    const whole = Buffer.alloc(Math.min(file_bytes, bytes - file * file_bytes));
    for (let at = 0; at < whole.length; at += page_bytes) {
      texts[randomInt(texts.length)]?.copy(page);
      randomFillSync(page, page_bytes / 2, page_bytes / 4);
      page.copy(whole, at);
    }
    writeSync(fd, whole);
    closeSync(fd);
  }
}

type Took = { ms: number; rss_kb: number };
function timed(program: string, args: readonly string[]): Took {
  const began = performance.now();
  const env = { ...process.env, ...malloc_environment }; // as its job has it
  const text = execFileSync(program, args, { encoding: "utf8", env });
  return { ms: performance.now() - began, rss_kb: Number(text) };
}
const ours = (...args: string[]): Took =>
  timed(process.execPath, [join(import.meta.dirname, "backups/one.ts"), ...args]);
const theirs = (script: string, ...args: string[]): Took =>
  timed("bash", ["-o", "pipefail", "-ec", script, "bash", ...args]);

function lines_of(what: string, gb: number, pairs: readonly { ours: Took; theirs: Took }[]): Line[] {
  const ratios = pairs.map(({ ours, theirs }) => theirs.ms / ours.ms);
  const rate = (which: "ours" | "theirs"): string =>
    `${((gb * 1000) / (median(pairs.map((pair) => pair[which].ms)) / 1000)).toFixed(0)} MB/s`;
  const [least, most] = [Math.min(...ratios), Math.max(...ratios)].map((ratio) => ratio.toFixed(2));
  const ratio = median(ratios);
  const rss_mb = Math.max(...pairs.map(({ ours }) => ours.rss_kb)) / 1024;
  return [
    {
      what: `${what} of ${gb} GB, as a rate over that of tar and zstd (${rate("ours")} ÷ ${rate("theirs")})`,
      who: "leasehold",
      figures: [`${pairs.length}`, least ?? "", ratio.toFixed(2), "", most ?? ""],
      reach: `median ≥ ${least_ratio}`,
      reached: ratio >= least_ratio,
    },
    single(`– the most memory that it had, Rss`, "leasehold", pairs.length, `${rss_mb.toFixed(0)} MB`, {
      reach: "flat",
    }),
  ];
}

function measure(gb: number, count: number): { backup: Line[]; restore: Line[] } {
  const folder = mkdtempSync(join(tmpdir(), "leasehold-bench-"));
  const [data, store, to, tar] = ["data", "store", "to", "data.tar.zst"].map((name) => join(folder, name));
  if (!data || !store || !to || !tar) throw new Error("a folder has no name");
  const empty = (path: string): void => {
    rmSync(path, { recursive: true, force: true });
    mkdirSync(path);
  };
  try {
    empty(data);
    fill(data, gb * 1e9);
    execFileSync("sync", ["-f", data]);
    const backup = Array.from({ length: count }, () => {
      empty(store);
      const first = ours("backup", store, data);
      const then = theirs('tar -C "$1" -cf - . | zstd -q -3 -f -o "$2"; sync "$2"', data, tar);
      rmSync(tar);
      return { ours: first, theirs: then };
    });
    rmSync(data, { recursive: true });
    const app = join(store, "bench");
    const archive = join(app, readdirSync(app)[0] ?? "", "data.tar.zst");
    const restore = Array.from({ length: count }, () => {
      empty(to);
      const first = ours("restore", store, to);
      empty(to);
      const then = theirs('zstd -dcq "$1" | tar -C "$2" -xf -; sync -f "$2"', archive, to);
      return { ours: first, theirs: then };
    });
    return { backup: lines_of("backup", gb, backup), restore: lines_of("restore", gb, restore) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Memory is flat: the second one is of ten times as much. */
export const backups: readonly Row[] = [
  {
    name: "backups",
    measure: async (runs) => {
      const [small, large] = [measure(1, runs(5)), measure(10, runs(2))];
      return { lines: [...small.backup, ...large.backup, ...small.restore, ...large.restore] };
    },
  },
];

if (import.meta.main) {
  const { values } = parseArgs({
    options: { size: { type: "string", default: "1" }, pairs: { type: "string", default: "5" } },
  });
  const { backup, restore } = measure(Number(values.size), Number(values.pairs));
  console.log(table([...backup, ...restore]));
  if ([...backup, ...restore].some(({ reached }) => reached === false)) process.exitCode = 1;
}
