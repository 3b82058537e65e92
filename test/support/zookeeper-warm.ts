// What befalls a standby that has just taken over: its first proof began before there was a lock to take
// (docs/decisions/0019-warm-standby.md). A third contender takes its place in line, and has to wait for that proof's end.

import { setTimeout as sleep } from "node:timers/promises";
import { each, type Fault, lease_over, some_time, stall, ttl_ms } from "./zookeeper-faults.ts";
import type { Pair, Scene } from "./zookeeper-scene.ts";
import { until } from "./contenders.ts";

/** The holder gives it up; the standby has it, and something befalls it at once. Then the third has it, or the standby still. */
const upon_take_over = (befall: (scene: Scene, pair: Pair) => Promise<void> | void): Fault["strike"] =>
  each(async (scene, pair) => {
    const { lives, holder, standby, machines, path } = pair;
    // Young or old, and anything between: a standby attaches anew every quarter of the lease.
    await sleep(Math.random() * (ttl_ms / 3));
    holder.signal("SIGTERM");
    await until(
      () => standby.app,
      "the standby's app",
      () => lives.story(),
    );
    await befall(scene, pair);
    lives.start({
      lock: scene.zookeeper.url(path),
      args: ["--ttl", `${ttl_ms}ms`],
      wrapper: scene.network.exec(machines.holder),
      stamper: ["ignore", "daemon"],
    });
    await lease_over(1.5 * ttl_ms);
  });

const options = { stamper: [] };

export const warm: readonly Fault[] = [
  {
    name: "a standby that took over is cut off at once",
    options,
    async strike(scene, pairs, relays) {
      await upon_take_over((s, { machines }) => s.cut_off(machines.standby))(scene, pairs, relays);
      // The one in place of the first holder.
      await Promise.all(pairs.map(({ lives, standby }) => lives.holder(standby)));
      return pairs;
    },
  },
  {
    name: "the same, while the leader's thread that pings the followers stalls",
    options,
    async strike(scene, pairs, relays) {
      await some_time();
      const go_on = await stall(await scene.leader(), "QuorumPeer");
      await upon_take_over((s, { machines }) => s.cut_off(machines.standby))(scene, pairs, relays);
      await go_on();
      await lease_over();
      return pairs;
    },
  },
  {
    name: "the leader is stopped at once when a standby has taken over",
    options,
    async strike(scene, pairs, relays) {
      await upon_take_over(async (s) => (await s.leader()).stop())(scene, pairs.slice(0, 1), relays);
      return pairs.slice(0, 1);
    },
  },
];
