// One app under one guard, from its start until nothing of it is left.

import { execFile, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { descent, end, isAlive, look, remember, type Proc } from "./proc.ts";
import * as tools from "./tools.ts";

/** The run is worth nothing, because the machine was too busy to watch it. Says nothing about the guard. */
export class TooBusy extends Error {}

export interface Setup {
  readonly ttl_ms: number;
  /** For the app, when the controller dies. */
  readonly grace_ms?: number;
  readonly busy?: number;
  /** The file that the app stamps. */
  readonly stamps?: string;
  /** As uid 65534, without a capability. */
  readonly unprivileged?: boolean;
  /** The cgroup that guard, controller and app are in. */
  readonly cgroup?: string;
}

export interface Tree {
  readonly outer: Proc;
  readonly inner: Proc;
  readonly pump: Proc;
  readonly controller: Proc;
  /** All that descend from inner. */
  readonly app: readonly Proc[];
  readonly deadline_ns: bigint;
}

const setpriv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"];
const enter = ["sh", "-c", 'echo $$ >"$0" && exec "$@"'];

function command(setup: Setup, record: string): [string, ...string[]] {
  const { ttl_ms, grace_ms = 0, busy = 0 } = setup;
  const guard = [tools.guard, "guard", tools.controller, `${ttl_ms}`, "0", `${grace_ms}`, record];
  const app = [tools.app, `${busy}`, ...(setup.stamps ? [setup.stamps] : [])];
  const into = setup.cgroup ? [...enter, join(setup.cgroup, "cgroup.procs")] : [];
  const [file = "", ...rest] = [
    ...into,
    ...(setup.unprivileged === true ? setpriv : []),
    ...guard,
    "--",
    ...app,
  ];
  return [file, ...rest];
}

/** Starts a tree whose deadline is never renewed, has something done with it, and sees to it that nothing is left. */
export async function withTree<T>(setup: Setup, use: (tree: Tree) => Promise<T>): Promise<T> {
  const record = join(tools.directory, `deadline-${process.hrtime.bigint()}`);
  const [file, ...args] = command(setup, record);
  const outer = spawn(file, args, { stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise<void>((resolve) => outer.once("exit", () => resolve()));
  const { pid } = outer;
  if (pid === undefined) throw new Error(`${file} can't be started`);
  const first = look(pid);
  if (first) remember([first]);
  let pids = [pid];
  let log = "";
  outer.stderr.on("data", (text: Buffer) => (log += text.toString()));
  try {
    await Promise.race([new Promise((resolve) => outer.stdout.once("data", resolve)), ended, sleep(10_000)]);
    const all = descent(pid);
    remember(all);
    pids = all.map((proc) => proc.pid);
    const result = await use(treeOf(all, setup, record));
    const rest = all.filter((proc) => !isOfApp(proc));
    for (let look_ms = 0; look_ms < 3000 && rest.some(isAlive); look_ms += 5) await sleep(5);
    const left = rest.filter(isAlive).map((proc) => `${proc.comm} (${proc.pid})`);
    if (left.length > 0)
      throw new Error(`the app is dead, and 3 s later these are still there: ${left.join(", ")}`);
    return result;
  } catch (error) {
    throw log === "" || error instanceof TooBusy
      ? error
      : new Error(`the guard said: ${log}`, { cause: error });
  } finally {
    end(pids);
  }
}

const isOfApp = (proc: Proc): boolean => proc.comm === "app";

function treeOf(all: readonly Proc[], setup: Setup, record: string): Tree {
  const [outer] = all;
  const inner = all.find((proc) => proc.comm === "lh-inner");
  const pump = all.find((proc) => proc.comm === "lh-pump");
  const controller = all.find((proc) => proc.comm === "controller");
  if (!outer || !inner || !pump || !controller) throw new Error("the guard is not there in all its roles");
  const app = descent(inner.pid).filter((proc) => proc.pid !== inner.pid);
  const expected = 2 + (setup.busy ?? 0);
  if (app.length !== expected) throw new Error(`the app has ${app.length} processes, not ${expected}`);
  return { outer, inner, pump, controller, app, deadline_ns: BigInt(readFileSync(record, "latin1").trim()) };
}

/** When each of the app's processes died; null: it lived on a second after the instant. */
export interface Deaths {
  readonly instant_ns: bigint;
  readonly died_ns: readonly (bigint | null)[];
}

type Event = ["at", bigint] | ["kill", number] | ["thaw", string];

/** Waits until the app is dead, at most until a second after `expected_ms` from the event. See watch.c. */
export async function watch(tree: Tree, [action, target]: Event, expected_ms = 0): Promise<Deaths> {
  if (!tree.app.every(isAlive)) throw new TooBusy("the app was dead before it could be watched");
  const pids = tree.app.map((proc) => `${proc.pid}`);
  const args = [`${expected_ms + 1000}`, action, `${target}`, ...pids];
  const { stdout } = await promisify(execFile)(tools.watch, args);
  const [[ready = "", instant = ""] = [], ...deaths] = stdout
    .trim()
    .split("\n")
    .map((line) => line.split(" "));
  if (BigInt(ready) > BigInt(instant)) throw new TooBusy("the watching began after the event");
  return {
    instant_ns: BigInt(instant),
    died_ns: deaths.map(([, at = "0"]) => (at === "0" ? null : BigInt(at))),
  };
}
