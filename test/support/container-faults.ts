// What happens to containers, one thing after the other, while clients write: after each the database serves elsewhere, whoever was
// struck is started again as an orchestrator would, and in the end every acknowledged write is there.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Container, ContainerPair, type PairOptions } from "./container-pair.ts";
import { until } from "./contenders.ts";
import { compare, Writers } from "./database-writers.ts";
import type { Image } from "./images.ts";
import { read_process } from "./processes.ts";
import { Running } from "./running.ts";

export type Fault = {
  what: string;
  /** What podman says the struck container ended with; whoever: 70 if the controller was killed, 137 if the app. */
  code: number | "whoever";
  strike: (pair: ContainerPair, holder: Container, options: PairOptions) => Promise<unknown>;
};

const kill = (part: "controller" | "inner" | "app", code: number, what: string = part): Fault => ({
  what: `kill -9 of the ${what}`,
  code,
  async strike(pair, holder) {
    process.kill(pair.part(holder, part).pid, "SIGKILL");
  },
});

export const stop: Fault = {
  what: "podman stop",
  code: 0,
  strike: (_, { id }, { podman }) => podman.run("stop", "--time", "90", id),
};
export const podman_kill: Fault = {
  what: "podman kill",
  code: 137,
  strike: (_, { id }, { podman }) => podman.run("kill", id),
};
export const kill_app: Fault = kill("app", 137);
export const ttl_s = 10;
const pause: Fault = {
  what: "podman pause past the lease, then unpause",
  code: 80,
  async strike(pair, holder, { podman, image }) {
    await podman.run("pause", holder.id);
    if (image.locks_files === true) {
      const ended = await pair.end(pair.other(holder));
      assert.equal(ended, 1, await pair.story());
    } else {
      const next = await pair.holder(holder);
      assert.notEqual(next.name, holder.name);
    }
    await podman.run("unpause", holder.id);
  },
};

/** All faults, each of a holder that is ready, with a standby that waits. */
const faults: readonly Fault[] = [
  stop,
  podman_kill,
  kill_app,
  {
    what: "kill -9 of the outer guard",
    code: 137,
    strike: async (_, { outer }) => void process.kill(outer.pid, "SIGKILL"),
  },
  kill("inner", 70, "inner guard"),
  kill("controller", 70),
  pause,
  {
    what: "out of memory, by another",
    code: "whoever",
    /**
     * The container's limit is set to little more than what it uses, and a process that the kernel may not choose takes the rest.
     * Of the container it chooses the largest. Control groups of version 1: where the limit is memory.limit_in_bytes.
     */
    async strike(_, { outer }) {
      const own = /^\d+:memory:(.+)$/m.exec(readFileSync(`/proc/${outer.pid}/cgroup`, "utf8"))?.[1];
      const hog = spawn("python3", ["-c", take_memory, `/sys/fs/cgroup/memory${own}`], {
        stdio: ["ignore", "ignore", "inherit"],
      });
      const [ended] = (await once(hog, "exit")) as [number | null];
      // null: the container ended, and took along what was in its control group.
      assert.ok(ended === 0 || ended === null, "the memory that was left could not be taken");
    },
  },
  {
    what: "out of memory, by the app",
    code: 137,
    // It loses its connection: that is what is wanted.
    strike: (_, { id }, { podman, image }) =>
      podman.run("exec", id, ...(image.eat ?? [])).catch(() => undefined),
  },
];
export const faults_of = ({ eat }: Image): readonly Fault[] =>
  faults.filter((fault) => eat !== undefined || !fault.what.endsWith("by the app"));

const take_memory = `
import os, sys, time
folder = sys.argv[1]
used = int(open(folder + "/memory.usage_in_bytes").read())
open(folder + "/memory.limit_in_bytes", "w").write(str(used + (32 << 20)))
open("/proc/self/oom_score_adj", "w").write("-1000")
open(folder + "/cgroup.procs", "w").write(str(os.getpid()))
kills = lambda: int(open(folder + "/memory.oom_control").read().split("oom_kill ")[1])
taken, before = [], kills()
while kills() == before:
    if len(taken) > 2000: sys.exit(1)
    taken.append(b"x" * (1 << 20))
`;

type Struck = {
  what: string;
  code: number;
  /** The longest time without an acknowledged write, until one after the new holder was ready. */
  interruption_ms: number;
  /** For how long the struck container's server ran again while another one did. */
  thawed_ms: number;
};
export type Outcome = {
  struck: Struck[];
  acknowledged: number;
  lost: number[];
  untold: number;
  looks: number;
};

export async function strike_all(
  t: TestContext,
  options: PairOptions,
  which: readonly Fault[],
): Promise<Outcome> {
  const { podman, image } = options;
  const pair = await ContainerPair.start(t, options);
  const running = new Running(image.program);
  t.after(() => running.end());
  const writers = new Writers(image.protocol({ host: "127.0.0.1", port: pair.front.port }), 4);
  t.after(() => writers.stop());
  const start = async (name: "a" | "b"): Promise<Container> => {
    const container = await pair.start(name);
    running.watch(`${name} ${container.id.slice(0, 8)}`, container.outer.pid);
    return container;
  };
  const served = async (from_ms: number): Promise<number> =>
    pair.told(
      until(
        () => {
          const last_ms = writers.acknowledged.at(-1)?.at_ms ?? 0;
          return last_ms > from_ms && last_ms;
        },
        "an acknowledged write",
        undefined,
        120_000,
      ),
    );

  await start("a");
  let holder = await pair.holder();
  let standby = await start("b");
  await served(performance.now());
  const struck: Struck[] = [];
  for (const { what, code, strike } of which) {
    await pair.waits(standby);
    await served(performance.now());
    await sleep(1000);
    const before = (await running.seen()).overlaps.length;
    const from_ms = performance.now();
    const old = holder;
    await pair.told(strike(pair, old, options));
    // The one case in which a standby may end: as an orchestrator would.
    if (what === pause.what && image.locks_files === true) {
      await pair.remove(standby);
      await start(standby.name);
    }
    const ended = await pair.end(old);
    const of_controller = (await pair.log(old.id)).includes("the controller died");
    const expected = code === "whoever" ? (of_controller ? 70 : 137) : code;
    assert.equal(ended, expected, `${what}\n${await pair.story()}`);
    holder = await pair.holder(old);
    const to_ms = await served(performance.now());
    await no_zombies(pair, holder);
    await pair.remove(old);
    const overlaps = (await running.seen()).overlaps.slice(before);
    const thawed_ms = overlaps.reduce((sum, one) => sum + one.to_ms - one.from_ms, 0);
    if (what !== pause.what) assert.equal(thawed_ms, 0, `${what}: two servers ran\n${await pair.story()}`);
    struck.push({ what, code: ended, interruption_ms: writers.longest_gap_ms(from_ms, to_ms), thawed_ms });
    standby = await start(old.name);
  }
  await pair.waits(standby);
  await writers.stop();
  const stored = (await podman.run("exec", holder.id, ...image.stored)).split("\n").flatMap(number_of);
  for (const one of [standby, holder]) {
    await podman.run("stop", "--time", "90", one.id);
    if (one === holder) assert.equal(await pair.end(one), 0, await pair.story());
  }
  const where = ["--rm", "--network=none", "--pull=never", "--runtime=runc", "--volume"];
  const machine = [
    "--ulimit=nofile=1024:1024",
    "--ulimit=nproc=1024:1024",
    "--entrypoint",
    image.check[0] ?? "",
  ];
  await podman.run(
    ...[
      "run",
      ...where,
      `${pair.volume}:${image.volume}`,
      ...machine,
      options.tag ?? `singleton-${image.name}`,
    ],
    ...image.check.slice(1),
  );
  const { looks } = await running.seen();
  return { struck, ...compare(writers, stored), looks };
}

const number_of = (line: string): number[] => (/^\d+$/.test(line) ? [Number(line)] : []);

/** What is dead was reaped; a process may be caught between the two once, not twice. */
async function no_zombies(pair: ContainerPair, container: Container): Promise<void> {
  const zombies = pair.processes(container).filter(({ state }) => state === "Z");
  await sleep(zombies.length > 0 ? 2000 : 0);
  const left = zombies.filter(({ pid }) => read_process(pid)?.state === "Z");
  assert.deepEqual(left, [], "zombies");
}

export function report({ struck, acknowledged, lost, untold, looks }: Outcome): string[] {
  return [
    ...struck.map(({ what, code, interruption_ms, thawed_ms }) => {
      const thawed = what === pause.what ? `, the thawed server ran ${thawed_ms.toFixed(1)} ms more` : "";
      return `${what}: exit ${code}, no write acknowledged for ${interruption_ms.toFixed(0)} ms${thawed}`;
    }),
    `${acknowledged} writes acknowledged, ${lost.length} lost, ${untold} stored without an answer, ${looks} looks`,
  ];
}
