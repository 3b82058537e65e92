// npm run demo: two contenders for one volume, with no server at all, and what is done to them. Under a minute.
//
// The volume is a directory; --lock file: makes it the lock. Each contender has its own way to it, a link, so that one of them can
// be cut off. The store that they run is store.ts; what is said about it at the end is what it wrote down itself.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "./client.ts";
import { Contender } from "./contender.ts";
import { last_gap_ms, overlap_ms, read_lives } from "./lives.ts";
import { type Doing, Timeline } from "./timeline.ts";

const leasehold = join(import.meta.dirname, "../../bin/leasehold");
const lease_ms = 3000;
const options = `--ttl ${lease_ms}ms --drain 200ms --log-format json --log-level info`.split(" ");
const probe = "probe=500ms/1s×2";

const folder = mkdtempSync(join(tmpdir(), "leasehold-demo-"));
const volume = join(folder, "volume");
const lives = join(folder, "lives");
const socket = join(folder, "store.sock");
const view_of = (node: string): string => join(folder, node, "volume");

const figures: { what: string; gap_ms: number; quiet_ms: number }[] = [];
const stopped = new Set<string>();
const restart_ms = 1500;
let over = false;
const client = new Client(socket);
const contenders = ["a", "b"].map(
  (node) =>
    new Contender({
      node,
      command: [
        leasehold,
        ...["run", "--lock", `file://${view_of(node)}`, "--volume", `${view_of(node)},${probe}`],
        ...["--node", node, ...options, "--"],
        ...[process.execPath, join(import.meta.dirname, "store.ts"), join(volume, "data"), socket, lives],
      ],
      on_line: (line) => heard(node, line),
      on_end(code) {
        timeline.tell(`${node} has ended, ${code === null ? "killed" : `exit code ${code}`}`);
        // As an orchestrator does.
        setTimeout(() => over || contenders.find((one) => one.node === node)?.start(), restart_ms);
      },
    }),
);
const timeline = new Timeline(process.stdout, () => new Map(contenders.map((one) => [one.node, doing(one)])));

function doing({ node, alive }: Contender): Doing {
  if (stopped.has(node)) return "is stopped";
  if (running() === node) return "runs";
  return alive ? "stands by" : "off";
}
/** Whose store has given a sign of life in the last 50 ms. */
function running(): string | undefined {
  const life = read_lives(lives).at(-1);
  return life && process.hrtime.bigint() - life.last_ns < 50_000_000n ? life.node : undefined;
}
function heard(node: string, line: string): void {
  if (/the lease is lost|the volume is lost|^store:/.test(line)) timeline.tell(`${node} says: ${line}`);
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (const end_ms = performance.now() + 20_000; performance.now() < end_ms; await sleep(10))
    if (holds()) return;
  throw new Error(`${what}: it did not come within 20 s`);
}
const both = (holder: string): [Contender, Contender] => {
  const [a, b] = contenders;
  if (!a || !b) throw new Error("there are two contenders");
  return holder === a.node ? [a, b] : [b, a];
};

/** Does something to the holder, and waits until the other one's store takes writes. */
async function fault(
  what: string,
  harm: (holder: Contender) => void | Promise<void>,
  mend?: (holder: Contender) => void,
): Promise<void> {
  const before = read_lives(lives).length;
  const [holder, other] = both(running() ?? "");
  timeline.step(what.replaceAll("HOLDER", holder.node));
  const { starts } = holder;
  const { acknowledged } = client;
  client.longest_pause_ms();
  await harm(holder);
  await until("the other one's store", () => read_lives(lives).length > before && running() === other.node);
  await until("its first write", () => client.acknowledged > acknowledged + 5);
  const gap_ms = last_gap_ms(read_lives(lives));
  figures.push({
    what: what.replaceAll("HOLDER", "the holder"),
    gap_ms,
    quiet_ms: client.longest_pause_ms(),
  });
  timeline.tell(`${other.node} runs the store ${gap_ms.toFixed(0)} ms after ${holder.node}'s was last alive`);
  mend?.(holder);
  await until("its end", () => holder.starts > starts);
  await sleep(1500);
}

async function play(): Promise<void> {
  timeline.step(`a volume, ${volume}, and two contenders for it; the lease is ${lease_ms / 1000} s`);
  const [a, b] = both("a");
  a.start();
  await until("the first store", () => running() === "a");
  client.start();
  await until("the first writes", () => client.acknowledged > 10);
  timeline.tell("a runs the store; somebody writes to it all the time");
  b.start();
  await sleep(1500);
  timeline.tell("b stands by");

  await fault("HOLDER is asked to stop (SIGTERM): handed over", (holder) => holder.end());
  await fault(
    "the store of HOLDER is killed (kill -9)",
    (holder) => void process.kill(holder.pid("app"), "SIGKILL"),
  );
  await fault("what decides in HOLDER is killed (kill -9 of its controller)", (holder) => {
    process.kill(holder.pid("controller"), "SIGKILL");
  });
  await fault(
    "what decides in HOLDER is stopped (SIGSTOP of its controller), and learns nothing any more",
    (holder) => {
      process.kill(holder.pid("controller"), "SIGSTOP");
      stopped.add(holder.node);
    },
    (holder) => {
      timeline.tell(`${holder.node} goes on (SIGCONT): its store has been dead for long`);
      stopped.delete(holder.node);
      process.kill(holder.pid("controller"), "SIGCONT");
    },
  );
  await fault(
    "HOLDER is cut off from the volume",
    ({ node }) => renameSync(view_of(node), `${view_of(node)}.cut`),
    ({ node }) => renameSync(`${view_of(node)}.cut`, view_of(node)),
  );
  await fault("the machine of HOLDER is gone (all of its processes killed at once)", (holder) => {
    // Stopped first: none of them sees the end of another.
    const pids = holder.tree();
    for (const pid of pids) process.kill(pid, "SIGSTOP");
    for (const pid of pids) process.kill(pid, "SIGKILL");
  });
}

/** Every write that was acknowledged is in the log, in its order. */
function lost_writes(): number {
  const counts = readFileSync(join(volume, "data/log"), "utf8")
    .split("\n")
    .flatMap((line) => / count (\d+)$/.exec(line)?.[1] ?? []);
  const there = new Set(counts.map(Number));
  return Array.from({ length: client.acknowledged }, (_, i) => i + 1).filter((n) => !there.has(n)).length;
}

function report(): number {
  const overlap = overlap_ms(read_lives(lives));
  const lost = lost_writes();
  const width = Math.max(...figures.map(({ what }) => what.length));
  const rows = figures.map(
    ({ what, gap_ms, quiet_ms }) =>
      `  ${what.padEnd(width)}  ${gap_ms.toFixed(0).padStart(7)} ms  ${quiet_ms.toFixed(0).padStart(8)} ms`,
  );
  const head = `  ${"what was done".padEnd(width)}  ${"no store".padStart(10)}  ${"no write".padStart(11)}`;
  const text = [
    "",
    head,
    ...rows,
    "",
    `  no store: from the last sign of life of one copy to the first of the next; the lease is ${lease_ms} ms`,
    "  no write: the longest time without an acknowledged write; the new copy's start is in it",
    "",
    `  ${client.acknowledged} writes acknowledged, ${lost} lost`,
    `  ${read_lives(lives).length} copies of the store, one after the other: overlap ${overlap.toFixed(0)} ms`,
    "",
  ];
  process.stdout.write(`${text.join("\n")}\n`);
  return overlap > 0 || lost > 0 ? 1 : 0;
}

async function end(): Promise<void> {
  over = true;
  for (const { alive, pid } of contenders.map((one) => ({
    alive: one.alive,
    pid: () => one.pid("controller"),
  })))
    if (alive)
      try {
        process.kill(pid(), "SIGCONT");
      } catch {
        // It has none any more.
      }
  await Promise.all(contenders.map((one) => one.end()));
  await client.stop();
}

if (!existsSync(leasehold)) {
  process.stderr.write("demo: leasehold is not built; run npm ci first\n");
  process.exit(78);
}
mkdirSync(volume);
mkdirSync(lives);
for (const { node } of contenders) {
  mkdirSync(join(folder, node));
  symlinkSync(volume, view_of(node));
}
const init = spawnSync(leasehold, ["volume", "init", volume, "--directory", "--ttl", `${lease_ms}ms`], {
  encoding: "utf8",
});
if (init.status !== 0) {
  process.stderr.write(`demo: ${init.stderr}`);
  process.exit(1);
}
try {
  await play();
  await end();
  timeline.end();
  process.exitCode = report();
} catch (error) {
  timeline.end();
  process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`);
  await end();
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
