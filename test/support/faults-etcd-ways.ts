// What befalls etcd's requests on their way: they arrive late, are answered with garbage, or by a leader that is none any more.

import { setTimeout as sleep } from "node:timers/promises";
import { until } from "./contenders.ts";
import type { Etcd, Member } from "./etcd.ts";
import type { Fault, Scene, Slot } from "./faults.ts";
import { lead, stored } from "./faults-etcd.ts";
import { kinds_of_garbage, type Meddler } from "./meddler.ts";
import type { Network } from "./network.ts";
import type { Relay } from "./relay.ts";

/**
 * A rotation sticks on its way to a member, the holder goes on with another one, the rotation arrives: put back on its older lease
 * the key would end early. It can't be seen unless the holder renews no more.
 */
export const late_rotation = (servers: Etcd, path: string): Fault<Meddler> => ({
  name: "a rotation arrives after those that followed it, and then the holder is cut off",
  outcome: "another",
  async strike({ stage, holder, random }) {
    const kept = await Promise.race(holder.ways.map((way) => way.keep_rotation().then(() => way)));
    for (const way of holder.ways) if (way !== kept) way.let_go();
    await sleep(stage.ttl_ms * (0.2 + random() / 2));
    const before = stored(servers, path);
    await until(
      () => {
        const now = stored(servers, path);
        return now?.create === before?.create && now?.mod !== before?.mod;
      },
      "a rotation by another member",
      () => stage.story(),
    );
    kept.let_go();
    await sleep(100);
    for (const way of holder.ways) way.cut();
    await stage.running(holder.contender);
    for (const way of holder.ways) way.mend();
  },
});

export const garbage_faults: readonly Fault<Meddler>[] = [
  {
    name: "the member that is asked answers garbage for 30 % of the lease",
    outcome: "untouched",
    async strike({ stage, holder, random }) {
      const kind = kinds_of_garbage[Math.floor(random() * kinds_of_garbage.length)] ?? null;
      const one = holder.ways[Math.floor(random() * holder.ways.length)];
      one?.garble(kind);
      await sleep(stage.ttl_ms * 0.3);
      one?.garble(null);
    },
  },
  {
    name: "all members answer the holder garbage, of changing kinds, for longer than the lease",
    outcome: "another",
    async strike({ stage, holder, random }) {
      const changing = setInterval(() => {
        for (const way of holder.ways)
          way.garble(kinds_of_garbage[Math.floor(random() * kinds_of_garbage.length)] ?? null);
      }, 500);
      try {
        await stage.running(holder.contender);
      } finally {
        clearInterval(changing);
        for (const way of holder.ways) way.garble(null);
      }
    },
  },
];

/** The holder's way to a leader that has lost its peers without knowing it: etcd 3.4.23 then still renews leases when asked to. */
export const stale_leader = (servers: Etcd, network: Network): Fault<Relay>[] => {
  const isolate = async (
    { holder, random, stage }: Scene<Relay>,
    meanwhile: (others: Relay[], leader: Member) => Promise<void>,
  ): Promise<void> => {
    const index = asked(holder, servers);
    const member = servers.members[index];
    if (member === undefined) throw new Error("the holder asks nobody");
    if (servers.leader() !== member) lead(servers, member);
    await sleep(random() * 2000);
    const peers = network.names.filter((name) => name !== member.name);
    for (const peer of peers) network.cut(member.name, peer);
    try {
      const others = holder.ways.filter((_, place) => place !== index);
      await meanwhile(others, member);
      await sleep(random() * stage.ttl_ms * 0.3);
    } finally {
      network.mend_all();
    }
    await servers.ready();
  };
  /** The holder can reach nobody else until another one runs. */
  const alone = async ({ stage, holder }: Scene<Relay>, others: Relay[]): Promise<void> => {
    for (const way of others) await way.cut();
    await stage.running(holder.contender);
    for (const way of others) await way.mend();
  };
  return [
    {
      name: "it can ask the others, too",
      outcome: "untouched",
      strike: (scene) => isolate(scene, () => sleep(scene.stage.ttl_ms)),
    },
    {
      name: "it can ask nobody else",
      outcome: "another",
      strike: (scene) => isolate(scene, (others) => alone(scene, others)),
    },
    {
      name: "it can ask nobody else, and the leader was stopped meanwhile: for a second it doesn't know that it leads no more",
      outcome: "another",
      strike: (scene) =>
        isolate(scene, async (others, leader) => {
          leader.stop();
          const thaw = sleep(scene.stage.ttl_ms * (0.4 + scene.random() / 4)).then(() => leader.resume());
          await alone(scene, others);
          await thaw;
        }),
    },
  ];
};

/** Which member the contender asks now, by what it has told of it. */
function asked({ contender, ways }: Slot, servers: Etcd): number {
  const ports = ways.length > 0 ? ways.map(({ port }) => port) : servers.members.map(({ port }) => port);
  const told = contender.lines().map(({ message }) => / failed, \S+:(\d+) answers$/.exec(message)?.[1]);
  const port = told.findLast((one) => one !== undefined);
  return port === undefined ? 0 : ports.indexOf(Number(port));
}
