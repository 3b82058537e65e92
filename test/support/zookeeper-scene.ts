// Three ZooKeeper servers on a network, and pairs of contenders there: in each the first one holds the pair's lock, the second
// one waits for it.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Contender, Contenders, until } from "./contenders.ts";
import { type Network, network } from "./network.ts";
import { client_port, type Ensemble, ensemble, operator, type Server } from "./zookeeper.ts";

export type Pair = {
  path: string;
  lives: Contenders;
  holder: Contender;
  /** The holder's app. */
  app: number;
  standby: Contender;
  /** Where the two live. */
  machines: { holder: string; standby: string };
};
export type PairOptions = {
  ttl_ms?: number;
  /** The servers that the holder knows. */
  servers?: readonly Server[];
  /** Instead: the ports of 127.0.0.1 through which the holder, which is on no machine of the network then, reaches them. */
  ports?: readonly number[];
  /** More options of both. */
  args?: readonly string[];
  env?: NodeJS.ProcessEnv;
  /** Of both, another one than that of dist/. */
  guard?: string;
  /** Of the app; default: it ends by SIGKILL only, and has a daemon, so it lives for as long as it is let. */
  stamper?: readonly ("ignore" | "daemon")[];
};

const stubborn = ["ignore", "daemon"] as const;

export class Scene {
  readonly network: Network;
  readonly zookeeper: Ensemble;
  readonly #most: number;

  private constructor(net: Network, zookeeper: Ensemble, most: number) {
    this.network = net;
    this.zookeeper = zookeeper;
    this.#most = most;
  }

  /** pairs: how many there may be at a time. Sessions of up to a minute are granted whatever the tick. */
  static async start({ pairs = 1, tick_ms = 500 }: { pairs?: number; tick_ms?: number }): Promise<Scene> {
    const contenders = Array.from({ length: pairs }, (_, index) => [`a${index}`, `b${index}`]).flat();
    const net = network(["z1", "z2", "z3", ...contenders]);
    try {
      const config = ["maxSessionTimeout=60000"];
      return new Scene(net, await ensemble({ size: 3, tick_ms, network: net, config }), pairs);
    } catch (error) {
      await net.end();
      throw error;
    }
  }
  async end(): Promise<void> {
    await this.zookeeper.end();
    await this.network.end();
  }

  /** They end with the test, and with them all that was done to the network and the servers. */
  async pairs(t: TestContext, options: PairOptions = {}, count = this.#most): Promise<Pair[]> {
    t.after(() => this.settle());
    return Promise.all(Array.from({ length: count }, (_, index) => this.#pair(t, options, index)));
  }

  async #pair(t: TestContext, options: PairOptions, n: number): Promise<Pair> {
    const { ttl_ms = 10_000, servers, ports, args = [], env = {}, stamper = stubborn, guard } = options;
    const path = `/run-${randomUUID()}/app`;
    const lives = new Contenders(t);
    const machines = { holder: `a${n}`, standby: `b${n}` };
    const both = {
      args: ["--ttl", `${ttl_ms}ms`, ...args],
      env,
      stamper,
      ...(guard !== undefined && { guard }),
    };
    const holder = lives.start({
      ...both,
      lock: ports
        ? `zk://${ports.map((port) => `127.0.0.1:${port}`).join(",")}${path}`
        : this.zookeeper.url(path, servers),
      wrapper: ports ? [] : this.network.exec(machines.holder),
    });
    const app = await app_of(holder);
    const standby = lives.start({
      ...both,
      lock: this.zookeeper.url(path),
      wrapper: this.network.exec(machines.standby),
    });
    await standby.line(/waiting: the lock is held by node-1/);
    return { path, lives, holder, app, standby, machines };
  }

  /** Whole again: nothing is cut or stopped, all serve, one leads. */
  async settle(): Promise<void> {
    this.network.mend_all();
    const { servers } = this.zookeeper;
    for (const server of servers) {
      server.resume();
      if (server.pid() === 0) await server.start();
    }
    await until(async () => {
      const modes = await this.modes();
      return modes.includes("leader") && modes.filter((mode) => mode === "follower").length === 2;
    }, "a whole ensemble");
  }
  modes(): Promise<(string | null)[]> {
    return Promise.all(this.zookeeper.servers.map((server) => server.mode()));
  }
  async leader(): Promise<Server> {
    return until(async () => this.zookeeper.servers[(await this.modes()).indexOf("leader")], "a leader");
  }
  async followers(): Promise<Server[]> {
    const leader = await this.leader();
    return this.zookeeper.servers.filter((server) => server !== leader);
  }
  machine(server: Server): string {
    return `z${this.zookeeper.servers.indexOf(server) + 1}`;
  }

  /** The server that a contender is connected to now; between two proofs it is one. */
  server_of(contender: Contender): Promise<Server> {
    const look = (): Server | undefined => {
      const hosts = connected(contender.outer);
      const [host] = hosts;
      return hosts.size === 1 ? this.zookeeper.servers.find((server) => server.host === host) : undefined;
    };
    return until(look, `${contender.node}'s one connection`, () => contender.story());
  }

  /** Cuts a machine off from these servers. */
  cut_off(machine: string, servers: readonly Server[] = this.zookeeper.servers): void {
    this.network.cut(machine, ...servers.map((server) => this.machine(server)));
  }
  mend(machine: string, servers: readonly Server[] = this.zookeeper.servers): void {
    this.network.mend(machine, ...servers.map((server) => this.machine(server)));
  }

  /** Resolves just after the holder's next proof: a round writes the lock's node twice, at least 250 ms apart. */
  async proof({ path }: Pair): Promise<void> {
    const target = this.zookeeper.target("/");
    await operator(target, async (connection) => {
      const written = async (after: number): Promise<number> =>
        until(async () => {
          const stat = await connection.exists(`${path}/lock`);
          assert.ok(stat !== "no-node", `${path}/lock is gone`);
          return stat.version > after && stat.version;
        }, "a write of the holder's");
      const stat = await connection.exists(`${path}/lock`);
      let version = await written(stat === "no-node" ? -1 : stat.version);
      for (;;) {
        const at_ms = performance.now();
        version = await written(version);
        if (performance.now() - at_ms < 900) return;
      }
    });
  }
}

async function app_of(contender: Contender): Promise<number> {
  return until(
    () => contender.app,
    `${contender.node}'s app`,
    () => contender.story(),
  );
}

/** The other one runs its app, and no app of two tenures ever lived at the same time. patience_ms: a bound against hanging. */
export async function taken_over({ lives, holder, standby }: Pair, patience_ms = 60_000): Promise<void> {
  await until(
    () => standby.app,
    "the other's app",
    () => `${holder.story()}\n${standby.story()}`,
    patience_ms,
  );
  // An app of the former holder would go on writing.
  await sleep(300);
  assert.equal(lives.overlap_ms(), 0, `${holder.story()}\n${standby.story()}`);
}

/** No process of the holder's app is left. */
export async function gone({ holder }: Pair): Promise<void> {
  await until(
    () => holder.app === undefined,
    `the end of ${holder.node}'s app`,
    () => holder.story(),
  );
}

/** The app that ran before still runs, and no other ever did. */
export function untouched({ lives, holder, app, standby }: Pair): void {
  const story = `${holder.story()}\n${standby.story()}`;
  assert.equal(holder.app, app, story);
  assert.equal(new Set(lives.lives().map(({ token }) => token)).size, 1, story);
}

/** The addresses of ZooKeeper servers to which a network namespace, that of this process, has connections that are up. */
function connected(pid: number): Set<string> {
  const lines = readFileSync(`/proc/${pid}/net/tcp`, "latin1").split("\n").slice(1);
  const up = lines.map((line) => line.trim().split(/\s+/)).filter(([, , , state]) => state === "01");
  return new Set(
    up.flatMap(([, , remote = ""]) => {
      const [address = "", port = ""] = remote.split(":");
      const bytes = [...Buffer.from(address, "hex")].toReversed();
      return Number.parseInt(port, 16) === client_port ? [bytes.join(".")] : [];
    }),
  );
}
