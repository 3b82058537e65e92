// Faults of 30 % of the lease, which no healthy app may be stopped for. They hit some apps of each kind at once, which
// all reach their servers by the same relays.

import { setTimeout as sleep } from "node:timers/promises";
import { relay, type Relay } from "../../test/support/relay.ts";
import { type Line, type Row, single } from "./line.ts";
import { kinds, ports_of, Scene } from "./scene.ts";
import { etcd, with_ends, zookeeper } from "./services.ts";

const ttl_ms = 10_000;
const fault_ms = 0.3 * ttl_ms;
const rest_ms = 4000;
/** With each fault once that makes 56 of ours for each lock service. */
const apps = { ours: 8, others: 4 };

type Server = { stop(): void; resume(): void; kill(): Promise<void>; start(): Promise<void> | void };
type Field = { servers: Server[]; leader: () => Promise<Server>; relays: Relay[] };
type Fault = { name: string; during: (field: Field) => Promise<void> };

async function restarted(server: Server): Promise<void> {
  await server.kill();
  await sleep(fault_ms);
  await server.start();
}

const faults: readonly Fault[] = [
  {
    name: "connections reset and refused",
    async during({ relays }) {
      await Promise.all(relays.map(async (one) => one.cut()));
      await sleep(fault_ms);
      await Promise.all(relays.map(async (one) => one.mend()));
    },
  },
  {
    name: "connections silent",
    async during({ relays }) {
      for (const one of relays) one.stop();
      await sleep(fault_ms);
      for (const one of relays) one.resume();
    },
  },
  { name: "a server restarts", during: async ({ servers: [first] }) => first && restarted(first) },
  { name: "the leader restarts", during: async ({ leader }) => restarted(await leader()) },
  {
    name: "the leader is stopped",
    async during({ leader }) {
      const server = await leader();
      server.stop();
      await sleep(fault_ms);
      server.resume();
    },
  },
  {
    name: "all servers are stopped",
    async during({ servers }) {
      for (const server of servers) server.stop();
      await sleep(fault_ms);
      for (const server of servers) server.resume();
    },
  },
  {
    name: "the servers restart one by one",
    async during({ servers }) {
      for (const server of servers) {
        await server.kill();
        await sleep(fault_ms / servers.length);
        await server.start();
        await sleep(rest_ms);
      }
    },
  },
];

async function field_of(backend: "etcd" | "zookeeper", relays: Relay[]): Promise<Field> {
  if (backend === "etcd") {
    const all = await etcd();
    return { servers: [...all.members], leader: () => Promise.resolve(all.leader()), relays };
  }
  const { servers } = await zookeeper();
  const leader = async (): Promise<Server> => {
    for (const server of servers) if ((await server.mode()) === "leader") return server;
    throw new Error("no ZooKeeper server leads");
  };
  return { servers, leader, relays };
}

type Count = { untouched: number; of: number; fell: string[] };

async function on(backend: "etcd" | "zookeeper", rounds: number): Promise<Line[]> {
  const counts = new Map<string, Count>();
  await with_ends(async (ends) => {
    const relays = await Promise.all((await ports_of(backend)).map(async (port) => relay(ends, port)));
    const field = await field_of(backend, relays);
    const ports = relays.map(({ port }) => port);
    for (let round = 0; round < rounds; round++) {
      const fault = faults[round % faults.length];
      if (!fault) break;
      const scenes = await Promise.all(
        kinds
          .filter((kind) => kind.backend === backend)
          .flatMap((kind) =>
            Array.from({ length: kind.ours ? apps.ours : apps.others }, () => new Scene(ends, kind)),
          )
          .map(async (scene) => {
            const contender = await scene.start({ ttl_ms, ports });
            await scene.first();
            return { scene, contender };
          }),
      );
      await sleep(rest_ms);
      await fault.during(field);
      // Whoever holds a lease that has not been renewed stops when it has run out.
      await sleep(ttl_ms);
      for (const { scene, contender } of scenes) {
        const count = counts.get(scene.kind.who) ?? { untouched: 0, of: 0, fell: [] };
        const alive = scene.alive().length === 1 && scene.lives().length === 1 && !contender.ended;
        count.of += 1;
        if (alive) count.untouched += 1;
        else if (!count.fell.includes(fault.name)) count.fell.push(fault.name);
        counts.set(scene.kind.who, count);
        await contender.end();
      }
    }
  });
  return [...counts].map(([who, { untouched, of, fell }]) =>
    single(
      `faults of 30 % of the TTL: app untouched${fell.length > 0 ? ` (not: ${fell.join(", ")})` : ""}`,
      who,
      of,
      `${untouched} of ${of}`,
      who.startsWith("leasehold") ? { reach: `${of} of ${of}`, reached: untouched === of } : {},
    ),
  );
}

export const short_faults: readonly Row[] = [
  {
    name: "short-faults",
    measure: async (runs) => ({
      lines: [...(await on("etcd", runs(faults.length))), ...(await on("zookeeper", runs(faults.length)))],
    }),
  },
];
