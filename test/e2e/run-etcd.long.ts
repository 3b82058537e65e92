// Every fault of the short suite, and those that take longer, twenty times each at random moments, on real etcd: never two apps.
//
//   LEASEHOLD_TEST_RUNS  instead of 20 (and of 50, of the short faults)
//   LEASEHOLD_TEST_FAULT only the faults whose name contains this
//   LEASEHOLD_TEST_SEED  replays the decisions of a run (the servers' own timing stays theirs)

import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { test, type TestContext } from "node:test";
import { type Etcd, etcd } from "../support/etcd.ts";
import {
  type Fault,
  process_faults,
  random_of,
  Stage,
  type StageOptions,
  strike,
  type Tally,
  type Way,
} from "../support/faults.ts";
import { link_faults, short_link_faults } from "../support/faults-links.ts";
import {
  access_faults,
  etcd_url,
  member_faults,
  operator_faults,
  outages,
  unheard_deletion,
  with_users,
} from "../support/faults-etcd.ts";
import { garbage_faults, late_rotation, stale_leader } from "../support/faults-etcd-ways.ts";
import { etcd_network } from "../support/etcd-network.ts";
import { meddler } from "../support/meddler.ts";
import { type Relay, relay } from "../support/relay.ts";
import { requires } from "../support/requires.ts";
import { jump_for, wallclock } from "../support/wallclock.ts";

const seed = Number(process.env.LEASEHOLD_TEST_SEED ?? randomInt(2 ** 31));
const given = process.env.LEASEHOLD_TEST_RUNS;
const runs = Number(given ?? 20);
const only = process.env.LEASEHOLD_TEST_FAULT ?? "";
/** Of one fault at a time. */
const path = "/long/0";
/** One contender ends after a loss, the other one stands by. */
const args = (index: number): string[] => (index % 2 === 0 ? [] : ["--on-loss", "standby"]);

/** With a fence hook nobody waits the lease of the one before out: the lock's own proof is all that there is. */
const fenced = (index: number): string[] => [...args(index), "--fence", "true"];

async function servers_of(t: TestContext, members: number): Promise<Etcd | null> {
  if (!requires(t, "etcd", "etcdctl")) return null;
  const servers = await etcd(t, { members });
  await servers.ready();
  return servers;
}

function report(t: TestContext, tally: Tally): void {
  const gaps = tally.gaps_ms.toSorted((a, b) => a - b);
  const gap = (part: number): string => (gaps.at(Math.floor((gaps.length - 1) * part)) ?? 0).toFixed(0);
  t.diagnostic(
    `${tally.runs} runs (seed ${seed}): worst overlap ${tally.overlap_ms} ms, app untouched in ${tally.untouched}, ` +
      `${gaps.length} changes of the holder, median gap ${gap(0.5)} ms, worst ${gap(1)} ms`,
  );
  for (const story of tally.slow) t.diagnostic(story);
}

/** Of one group at the same time, each by contenders of its own: nearly all of it is waiting for leases to end. */
async function together<W extends Way>(
  t: TestContext,
  servers: Etcd,
  faults: (path: string) => readonly Fault<W>[],
  options: Partial<StageOptions<W>> = {},
): Promise<void> {
  const ports = servers.members.map(({ port }) => port);
  const names = faults("").map(({ name }) => name);
  const all = names.map(async (name, index) => {
    const path = `/long/${index}`;
    const fault = faults(path)[index];
    if (fault === undefined || !name.includes(only)) return;
    await t.test(`${name}: ${fault.outcome}`, async (t) => {
      const stage = await Stage.open<W>(t, { ports, url: etcd_url(path), args, ...options });
      report(t, await strike(stage, fault, runs, random_of(seed)));
    });
  });
  await Promise.all(all);
}

/** One after the other: of servers that they share. */
async function in_turn<W extends Way>(
  t: TestContext,
  servers: Etcd,
  faults: readonly Fault<W>[],
  options: Partial<StageOptions<W>> = {},
): Promise<void> {
  for (const fault of faults) await together(t, servers, () => [fault], options);
}

test("processes of the holder fail, three contenders", { concurrency: true }, async (t) => {
  const servers = await servers_of(t, 1);
  if (servers) await together(t, servers, () => process_faults, { contenders: 3 });
});

test("operators meddle with the lock", { concurrency: true }, async (t) => {
  const servers = await servers_of(t, 1);
  if (servers) await together(t, servers, (path) => operator_faults(servers, path));
});

test("the links fail", { concurrency: true }, async (t) => {
  const servers = await servers_of(t, 1);
  if (!servers) return;
  const faults = (path: string): Fault<Relay>[] => [...link_faults, unheard_deletion(servers, path)];
  await together(t, servers, faults, { way: relay });
});

test("members fail", { concurrency: true }, async (t) => {
  const servers = await servers_of(t, 3);
  if (servers) await in_turn(t, servers, [...member_faults(servers, path), ...outages(servers)]);
});

test("a rotation arrives late; servers answer garbage", { concurrency: true }, async (t) => {
  const servers = await servers_of(t, 3);
  if (servers)
    await together(t, servers, (path) => [late_rotation(servers, path), ...garbage_faults], {
      way: meddler,
      args: fenced,
    });
});

test("the leader is cut off from its peers, and the holder asks it", { concurrency: true }, async (t) => {
  if (!requires(t, "etcd", "etcdctl", "ip", "iptables", "root")) return;
  const { servers, network } = await etcd_network(t, 3);
  await in_turn(t, servers, stale_leader(servers, network), { way: relay, args: fenced });
});

test("users lose their rights while they hold the lock", { concurrency: true }, async (t) => {
  const servers = await servers_of(t, 1);
  if (!servers) return;
  with_users(servers, path);
  const options = {
    args: (index: number) => [...args(index), "--lock-user", `u${index}`],
    more: { env: { LEASEHOLD_LOCK_PASSWORD: "secret" } },
  };
  await in_turn(t, servers, access_faults(servers), options);
});

test("faults of 30 % of the lease: the app is untouched, 50 of 50", { concurrency: true }, async (t) => {
  if (!t.name.includes(only)) return;
  const servers = await servers_of(t, 3);
  if (!servers) return;
  const ports = servers.members.map(({ port }) => port);
  const stage = await Stage.open(t, { ports, url: etcd_url(path), args, way: relay });
  const random = random_of(seed);
  const faults = [...short_link_faults, ...member_faults(servers, path)];
  const total: Tally = { runs: 0, untouched: 0, overlap_ms: 0, gaps_ms: [], slow: [] };
  const touched: string[] = [];
  for (; total.runs < Number(given ?? 50); total.runs++) {
    const fault = faults[total.runs % faults.length];
    if (fault === undefined) break;
    const { untouched, overlap_ms, gaps_ms } = await strike(
      stage,
      { ...fault, outcome: "somebody" },
      1,
      random,
    );
    total.untouched += untouched;
    if (untouched === 0) touched.push(`${fault.name}\n${stage.story()}`);
    Object.assign(total, { overlap_ms, gaps_ms });
  }
  report(t, total);
  assert.equal(total.untouched, total.runs, touched.join("\n\n"));
});

test("50 contenders at once, and their holders end in every way", { concurrency: true }, async (t) => {
  if (!t.name.includes(only)) return;
  const servers = await servers_of(t, 3);
  if (!servers) return;
  const ports = servers.members.map(({ port }) => port);
  const stage = await Stage.open(t, {
    ports,
    url: etcd_url(path),
    contenders: 50,
    ttl_ms: 30_000,
    args: fenced,
  });
  const random = random_of(seed);
  // Not those that wait for a lease's end: 30 s.
  const ways = [...process_faults.slice(0, 5), ...operator_faults(servers, path)];
  const total: Tally = { runs: 0, untouched: 0, overlap_ms: 0, gaps_ms: [], slow: [] };
  for (; total.runs < runs; total.runs++) {
    const fault = ways[total.runs % ways.length];
    if (fault === undefined) break;
    Object.assign(total, { ...(await strike(stage, fault, 1, random)), runs: total.runs });
  }
  report(t, total);
});

test("the controller's wall clock is set an hour back and forth", { concurrency: true }, async (t) => {
  const servers = await servers_of(t, 1);
  if (!servers) return;
  const clock = wallclock(t);
  const [cut] = link_faults;
  assert.ok(cut);
  const faults: Fault<Relay>[] = [
    {
      name: "for as long as a lease",
      outcome: "untouched",
      strike: ({ stage, random }) => jump_for(clock, stage.ttl_ms, random),
    },
    {
      name: "while the holder is cut off",
      outcome: "another",
      async strike(scene) {
        const state = { over: false };
        const over = cut.strike(scene).finally(() => (state.over = true));
        while (!state.over) await jump_for(clock, 200, scene.random);
        await over;
        const off_ms = scene.holder.contender
          .lines()
          .map(({ time = "" }) => Math.abs(Date.parse(time) - Date.now()));
        assert.ok(Math.max(...off_ms) > 1_800_000, "the holder's clock was never wrong");
      },
    },
  ];
  await in_turn(t, servers, faults, { way: relay, more: { guard: clock.guard } });
});
