// Twenty runs of each fault on real ZooKeeper servers, at random moments: no two apps of one lock ever live at the same time.
// LEASEHOLD_TEST_RUNS: another number of runs; LEASEHOLD_TEST_PAIRS: of pairs at a time; LEASEHOLD_TEST_FAULT: only the
// faults whose name contains this. What was counted is a diagnostic of each test.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, describe, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { requires } from "../support/requires.ts";
import { type Contender, Contenders } from "../support/contenders.ts";
import {
  all_taken_over,
  all_untouched,
  type Fault,
  harmless,
  longer_than_the_lease,
  moved,
  pinned,
  run,
  short_cut,
  ttl_ms,
  uncertain,
} from "../support/zookeeper-faults.ts";
import { bad_links, uncertain_links } from "../support/zookeeper-links.ts";
import { kills, operators } from "../support/zookeeper-operators.ts";
import { jump_for, type WallClock, wallclock } from "../support/wallclock.ts";
import { warm } from "../support/zookeeper-warm.ts";
import { Scene } from "../support/zookeeper-scene.ts";
import { ensemble } from "../support/zookeeper.ts";

const runs = Number(process.env.LEASEHOLD_TEST_RUNS ?? 20);
/** Of short faults, which nobody may notice. */
const short_runs = Math.ceil(runs * 2.5);
/** At a time; a fault of the servers strikes them all. */
const pairs = Number(process.env.LEASEHOLD_TEST_PAIRS ?? 4);

const only = process.env.LEASEHOLD_TEST_FAULT ?? "";

for (const tick_ms of [500, 2000])
  describe(`tickTime ${tick_ms} ms`, () => {
    let started: Promise<Scene> | undefined;
    after(async () => (await started)?.end());
    const scene = async (t: TestContext): Promise<Scene | null> => {
      if (!requires(t, "zookeeper", "java", "root", "ip", "iptables", "unshare")) return null;
      return (started ??= Scene.start({ pairs, tick_ms }));
    };

    const faults = [...kills, ...operators, ...longer_than_the_lease, ...bad_links, ...uncertain_links];
    const all = [...faults, ...harmless, ...uncertain, ...warm, pinned(30_000)];
    const some = tick_ms === 500 ? all : [pinned(10_000), pinned(30_000), moved];
    for (const fault of some.filter(({ name }) => name.includes(only)))
      test(fault.name, { timeout: 3_600_000 }, async (t) => {
        const s = await scene(t);
        if (s) await campaign(t, s, fault, fault === short_cut ? short_runs : runs);
      });
  });

/** Nothing that leasehold decides looks at it. */
const clock_faults = (clock: WallClock): Fault[] => [
  {
    name: "the controller's wall clock is set an hour back and forth",
    options: { guard: clock.guard },
    async strike(_, pairs) {
      await jump_for(clock, ttl_ms, Math.random);
      all_untouched(pairs);
      return pairs;
    },
  },
  {
    name: "the same, while the holder is cut off from every server",
    options: { guard: clock.guard },
    async strike(scene, pairs) {
      for (const { machines } of pairs) scene.cut_off(machines.holder);
      await Promise.all([jump_for(clock, 1.5 * ttl_ms, Math.random), all_taken_over(pairs)]);
      return pairs;
    },
  },
];
const clocks = "the wall clock";
if (clocks.includes(only))
  test(clocks, { timeout: 3_600_000 }, async (t) => {
    if (!requires(t, "zookeeper", "java", "root", "ip", "iptables", "unshare")) return;
    const scene = await Scene.start({ pairs });
    t.after(() => scene.end());
    for (const fault of clock_faults(wallclock(t))) await campaign(t, scene, fault, runs);
  });

const fifty = "fifty contenders at once: one after the other has its turn, in whatever way the holder ends";
if (fifty.includes(only))
  test(fifty, { timeout: 3_600_000 }, async (t) => {
    if (!requires(t, "zookeeper", "java")) return;
    const zookeeper = await ensemble({ size: 3 });
    t.after(() => zookeeper.end());
    const lives = new Contenders(t);
    const lock = zookeeper.url(`/run-${randomUUID()}/app`);
    for (let index = 0; index < 50; index++) lives.start({ lock, args: ["--ttl", "10s"] });
    let holder = await lives.holder();
    for (const contender of lives.all)
      if (contender !== holder) await contender.line(/waiting: the lock is held by/);
    for (let run = 0; run < runs; run++) {
      await sleep(Math.random() * 1000);
      const ended: Contender = holder;
      if (run % 2 === 0) ended.signal("SIGTERM");
      else ended.signal("SIGKILL", run % 4 === 1 ? ended.controller : ended.inner);
      await ended.exited();
      holder = await lives.holder(ended);
    }
    assert.equal(lives.overlap_ms(), 0);
    t.diagnostic(`${runs} hand-overs, worst overlap ${lives.overlap_ms()} ms, ${span(lives.gaps_ms())}`);
  });

async function campaign(t: TestContext, scene: Scene, fault: Fault, wanted: number): Promise<void> {
  const struck: { overlap_ms: number; gaps_ms: number[] }[] = [];
  for (let round = 1; struck.length < wanted && round <= 3 * wanted; round++)
    await t.test(`round ${round}`, { timeout: 180_000 }, async (one) => {
      for (const { lives } of await run(one, scene, fault))
        struck.push({ overlap_ms: lives.overlap_ms(), gaps_ms: lives.gaps_ms() });
    });
  const worst_ms = Math.max(...struck.map(({ overlap_ms }) => overlap_ms));
  const turns = span(struck.flatMap(({ gaps_ms }) => gaps_ms));
  t.diagnostic(`${fault.name}: ${struck.length} runs, worst overlap ${worst_ms} ms, ${turns}`);
  assert.ok(struck.length >= wanted, `${wanted - struck.length} runs are missing`);
}

function span(gaps_ms: readonly number[]): string {
  const sorted = gaps_ms.toSorted((a, b) => a - b).map(Math.round);
  if (sorted.length === 0) return "every app untouched";
  return `another's turn ${sorted.length} times, after ${sorted[0]} to ${sorted.at(-1)} ms, median ${sorted[sorted.length >> 1]}`;
}
