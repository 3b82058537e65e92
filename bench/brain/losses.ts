// How soon after the loss of the lock the app is dead, and whether two of them ever live at the same time.

import { setTimeout as sleep } from "node:timers/promises";
import { relay } from "../../test/support/relay.ts";
import { in_parallel, type Line, median_at_most, type Row, times } from "./line.ts";
import { kinds, ports_of, Scene, type Kind, type StartOptions } from "./scene.ts";
import { type Ends, with_ends } from "./services.ts";
import { until_dead_ms } from "./watching.ts";

async function deleted_once(kind: Kind): Promise<number | null> {
  return with_ends(async (ends) => {
    const scene = new Scene(ends, kind);
    await scene.start({ stamper: ["daemon", "ignore"], args: ["--loss-grace", "0"] });
    const pids = (await scene.first(2)).map(({ pid }) => pid);
    await sleep(kind.ours ? 200 : 500);
    return until_dead_ms(pids, async () => scene.delete_key());
  });
}

async function deleted(runs: number): Promise<Line[]> {
  const lines: Line[] = [];
  for (const kind of kinds) {
    const values: (number | null)[] = [];
    for (let run = 0; run < (kind.ours ? runs : Math.ceil(runs / 10)); run++)
      values.push(await deleted_once(kind));
    lines.push(
      times(
        "lock key deleted → app's tree dead",
        kind.who,
        values,
        kind.ours ? median_at_most(20) : undefined,
      ),
    );
  }
  return lines;
}

/** What happens to the first of two contenders. The app beside is watched for so long after the other one began. */
type Fault = {
  name: string;
  /** What the first one is started with, and what is done to it then. */
  options?: (ends: Ends, kind: Kind) => Promise<{ options: StartOptions; strike: () => void }>;
  /** To the process that decides; of those beside us that is the only one. Returns what undoes it. */
  strike?: (signal: (signal: NodeJS.Signals) => void) => () => void;
};

const ttl_ms = 6000;
const watched_ms = 3000;

const faults: readonly Fault[] = [
  {
    name: "supervisor stopped for longer than the lease, then continued",
    strike(signal) {
      signal("SIGSTOP");
      return () => signal("SIGCONT");
    },
  },
  {
    name: "supervisor killed",
    strike(signal) {
      signal("SIGKILL");
      return () => {};
    },
  },
  {
    name: "cut off from all servers, silently",
    async options(ends, kind) {
      const relays = await Promise.all((await ports_of(kind.backend)).map(async (port) => relay(ends, port)));
      return {
        options: { ports: relays.map(({ port }) => port) },
        strike: () => {
          for (const one of relays) one.stop();
        },
      };
    },
  },
];

/** null: nobody took over. */
async function overlap_once(kind: Kind, fault: Fault): Promise<number> {
  return with_ends(async (ends) => {
    const scene = new Scene(ends, kind);
    const link = await fault.options?.(ends, kind);
    const first = await scene.start({ ttl_ms, ...link?.options });
    await scene.first();
    const second = await scene.start({ ttl_ms });
    await scene.waits(second);
    link?.strike();
    const brain = kind.ours ? first.controller : first.outer;
    const mend = fault.strike?.((signal) => first.signal(signal, brain));
    const taken_over = await scene.tenure(2, 3 * ttl_ms);
    if (taken_over === null)
      throw new Error(`${kind.who}, ${fault.name}: nobody took over\n${scene.story()}`);
    await sleep(watched_ms);
    mend?.();
    await sleep(500);
    return Math.max(0, scene.overlap_ms());
  });
}

async function overlap(runs: number): Promise<Line[]> {
  const lines: Line[] = [];
  for (const fault of faults)
    for (const kind of kinds) {
      // Of more at a time some would lose their locks, with this TTL, to the load that they are.
      const values = await in_parallel(runs, 4, async () => overlap_once(kind, fault));
      const limit = { reach: "0 ms", holds: (all: readonly number[]) => all.every((value) => value === 0) };
      lines.push(
        times(`two apps at the same time: ${fault.name}`, kind.who, values, kind.ours ? limit : undefined),
      );
    }
  return lines;
}

export const losses: readonly Row[] = [
  { name: "overlap", measure: async (runs) => ({ lines: await overlap(runs(10)) }) },
  { name: "deleted", measure: async (runs) => ({ lines: await deleted(runs(30)) }) },
];
