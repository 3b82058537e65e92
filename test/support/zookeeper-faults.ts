// What can befall a holder of a lock in ZooKeeper. Each fault strikes pairs of contenders, and says what must come of it; that
// apps of two tenures never live at the same time is looked at in any case.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { compile } from "./hand.ts";
import { type Relay, relay } from "./relay.ts";
import { gone, type Pair, type PairOptions, type Scene, taken_over, untouched } from "./zookeeper-scene.ts";
import type { Server } from "./zookeeper.ts";

export type Fault = {
  name: string;
  /** Has to be known before the pairs are there. */
  options?: PairOptions | ((scene: Scene) => Promise<PairOptions>);
  /** The holders' ways to the servers lead through relays, one for each server. */
  through_relays?: true;
  /** Whom it struck. Everything that was done is undone by the scene at the end. */
  strike(scene: Scene, pairs: readonly Pair[], relays: readonly Relay[]): Promise<readonly Pair[]>;
};

export const ttl_ms = 10_000;
/** 30 % of it. */
export const short_ms = 3000;

/** Any moment between two proofs, and any phase of the servers' ticks. */
export const some_time = (): Promise<void> => sleep(Math.random() * 3000);

/** Each pair at a moment of its own. */
export const each =
  (act: (scene: Scene, pair: Pair) => Promise<void>): Fault["strike"] =>
  async (scene, pairs) => {
    await Promise.all(
      pairs.map(async (pair) => {
        await some_time();
        await act(scene, pair);
      }),
    );
    return pairs;
  };

/** The server of the first pair, and the pairs on it. */
async function used(scene: Scene, pairs: readonly Pair[]): Promise<{ server: Server; on_it: Pair[] }> {
  await some_time();
  const servers = await Promise.all(pairs.map(({ holder }) => scene.server_of(holder)));
  const [server] = servers;
  assert.ok(server);
  return { server, on_it: pairs.filter((_, index) => servers[index] === server) };
}

export const all_untouched = (pairs: readonly Pair[]): void => pairs.forEach(untouched);
export const all_taken_over = (pairs: readonly Pair[]): Promise<unknown> =>
  Promise.all(pairs.map((pair) => taken_over(pair)));
/** Longer than any lease that was proved before. */
export const lease_over = (length_ms = ttl_ms): Promise<void> => sleep(length_ms + 1000);

const one_follower = async (scene: Scene): Promise<PairOptions> => ({
  servers: (await scene.followers()).slice(0, 1),
});
const followers = async (scene: Scene): Promise<PairOptions> => ({ servers: await scene.followers() });

/** From its leader only, or from both of its peers. */
async function isolate(scene: Scene, server: Server): Promise<void> {
  const leader = await scene.leader();
  const peers = Math.random() < 0.5 ? [leader] : scene.zookeeper.servers.filter((other) => other !== server);
  scene.cut_off(scene.machine(server), peers);
}

/** Its connection is up, and pings and reads are answered, for as long as the follower doesn't notice. */
export const pinned = (lease_ms: number): Fault => ({
  name: `the holder's follower is cut off from its leader, while its own link is up, with a lease of ${lease_ms / 1000} s`,
  options: async (scene) => ({ ...(await one_follower(scene)), ttl_ms: lease_ms }),
  async strike(scene, pairs) {
    const { server } = await used(scene, pairs);
    await isolate(scene, server);
    await all_taken_over(pairs);
    return pairs;
  },
});

export const longer_than_the_lease: readonly Fault[] = [
  {
    name: "the holder is cut off from every server",
    strike: each(async (scene, pair) => {
      scene.cut_off(pair.machines.holder);
      await taken_over(pair);
      assert.equal(await pair.holder.exited(), 80);
    }),
  },
  {
    name: "the servers hear the holder, but it doesn't hear them",
    strike: each(async (scene, pair) => {
      for (const server of scene.zookeeper.servers)
        scene.network.lose(scene.machine(server), pair.machines.holder);
      await taken_over(pair);
    }),
  },
  pinned(ttl_ms),
  {
    name: "the only server that the holder knows is stopped right after a proof",
    options: one_follower,
    async strike(scene, pairs) {
      const { server } = await used(scene, pairs);
      if (pairs[0]) await scene.proof(pairs[0]);
      server.stop();
      await all_taken_over(pairs);
      return pairs;
    },
  },
  {
    name: "all servers are stopped, and go on",
    async strike(scene, pairs) {
      await some_time();
      for (const server of scene.zookeeper.servers) server.stop();
      await Promise.all(pairs.map((pair) => gone(pair)));
      await sleep(Math.random() * 5000);
      for (const server of scene.zookeeper.servers) server.resume();
      await all_taken_over(pairs);
      return pairs;
    },
  },
  {
    name: "the controller is stopped, and goes on",
    strike: each(async (_, { holder, ...pair }) => {
      const { controller } = holder;
      holder.signal("SIGSTOP", controller);
      await taken_over({ holder, ...pair });
      holder.signal("SIGCONT", controller);
      assert.equal(await holder.exited(), 80);
      await taken_over({ holder, ...pair });
    }),
  },
  {
    name: "the holder's machine is gone",
    strike: each(async (_, pair) => {
      pair.holder.vanish();
      await taken_over(pair);
    }),
  },
];

export const short_cut: Fault = {
  name: "the holder is cut off from every server for 30 % of the lease",
  async strike(scene, pairs) {
    const whole: Pair[] = [];
    await each(async (_, pair) => {
      // On a busy machine it lasts longer than was meant, and then nothing is promised: who survives that is struck again.
      for (let left = 4; left > 0 && !pair.holder.ended; left--) {
        const began_ms = performance.now();
        scene.cut_off(pair.machines.holder);
        await sleep(short_ms - (performance.now() - began_ms));
        scene.mend(pair.machines.holder);
        const lasted_ms = performance.now() - began_ms;
        await lease_over();
        if (lasted_ms > short_ms * 1.1) continue;
        untouched(pair);
        whole.push(pair);
        return;
      }
    })(scene, pairs, []);
    return whole;
  },
};

export const moved: Fault = {
  name: "the holder's follower is cut off from its leader, and the holder knows another",
  options: followers,
  async strike(scene, pairs) {
    const { server, on_it } = await used(scene, pairs);
    await isolate(scene, server);
    await lease_over();
    all_untouched(pairs);
    return on_it;
  },
};

/** The app must not notice. */
export const harmless: readonly Fault[] = [
  short_cut,
  {
    name: "the holder's follower is killed",
    options: followers,
    async strike(scene, pairs) {
      const { server, on_it } = await used(scene, pairs);
      await server.kill();
      await lease_over();
      all_untouched(pairs);
      return on_it;
    },
  },
  {
    name: "the holder's follower is stopped right after a proof",
    options: followers,
    async strike(scene, pairs) {
      const { server, on_it } = await used(scene, pairs);
      if (on_it[0]) await scene.proof(on_it[0]);
      server.stop();
      await lease_over();
      all_untouched(pairs);
      return on_it;
    },
  },
  moved,
  {
    name: "the holder's server dies without a word, and is there again",
    async strike(scene, pairs) {
      const { server, on_it } = await used(scene, pairs);
      for (const { machines } of pairs) scene.cut_off(machines.holder, [server]);
      await server.kill();
      await server.start();
      for (const { machines } of pairs) scene.mend(machines.holder, [server]);
      await lease_over();
      all_untouched(pairs);
      return on_it;
    },
  },
  {
    name: "the leader is stopped",
    options: { ttl_ms: 30_000 },
    async strike(scene, pairs) {
      await some_time();
      (await scene.leader()).stop();
      await lease_over(30_000);
      all_untouched(pairs);
      return pairs;
    },
  },
  {
    name: "the servers are restarted one by one",
    options: { ttl_ms: 30_000 },
    async strike(scene, pairs) {
      for (const server of scene.zookeeper.servers) {
        await some_time();
        await server.kill();
        await server.start();
        await scene.settle();
      }
      await sleep(3000);
      all_untouched(pairs);
      return pairs;
    },
  },
];

/** How it ends depends on the moment; two apps at a time is no end. */
export const uncertain: readonly Fault[] = [
  {
    name: "the thread of the leader that pings the followers stalls alone",
    async strike(scene, pairs) {
      await some_time();
      const go_on = await stall(await scene.leader(), "QuorumPeer");
      await sleep(ttl_ms * (0.5 + Math.random()));
      await go_on();
      await lease_over();
      return pairs;
    },
  },
  {
    name: "the leader is stopped, with a lease of 10 s",
    async strike(scene, pairs) {
      await some_time();
      (await scene.leader()).stop();
      await lease_over();
      return pairs;
    },
  },
];

const staller = compile("test/fixtures/stall.c");

/** Stalls one thread of a server until what it returns is called, or this process ends. */
export async function stall(server: Server, thread: string): Promise<() => Promise<void>> {
  const child: ChildProcess = spawn(staller, [String(server.pid()), thread], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  assert.ok(child.stdout);
  const [said] = (await Promise.race([once(child.stdout, "data"), exited])) as [unknown];
  assert.equal(String(said), "stalled\n");
  return async () => {
    child.stdin?.end();
    assert.deepEqual(await exited, [0, null]);
  };
}

/** Strikes once; gives whom it struck. No two apps of one pair ever lived at the same time. */
export async function run(t: TestContext, scene: Scene, fault: Fault): Promise<readonly Pair[]> {
  const options = typeof fault.options === "function" ? await fault.options(scene) : fault.options;
  const relays: Relay[] = [];
  if (fault.through_relays) for (const { port } of scene.zookeeper.servers) relays.push(await relay(t, port));
  const ports = relays.map(({ port }) => port);
  const pairs = await scene.pairs(t, { ...options, ...(fault.through_relays && { ports }) });
  const struck = await fault.strike(scene, pairs, relays);
  for (const { lives, holder, standby } of pairs)
    assert.equal(lives.overlap_ms(), 0, `${holder.story()}\n${standby.story()}`);
  return struck;
}
