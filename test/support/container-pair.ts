// Two containers of one image and one volume, each on a machine of a network of the test's own, HAProxy in front as in
// examples/haproxy, and a lock service. The image is an official one's likeness; leasehold got in by container/README's lines.

import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Owner, until } from "./contenders.ts";
import { etcd_network } from "./etcd-network.ts";
import type { Image } from "./images.ts";
import { network, type Network } from "./network.ts";
import type { Podman } from "./podman.ts";
import { descendants, type Process, read_process } from "./processes.ts";
import type { Requirement } from "./requires.ts";
import { ensemble } from "./zookeeper.ts";

const examples = join(import.meta.dirname, "../../examples");
const listen = 8080;
const names = ["a", "b"] as const;
export type Name = (typeof names)[number];

export type Service = {
  name: string;
  requirements: readonly Requirement[];
  start: (t: Owner) => Promise<{ net: Network; lock: string }>;
};

const machines = [...names, "front"];
export const services: readonly Service[] = [
  {
    name: "etcd",
    requirements: ["etcd", "etcdctl", "ip", "iptables", "haproxy"],
    async start(t) {
      const { network: net } = await etcd_network(t, 1, machines);
      return { net, lock: `etcd://${net.address("m0")}/database` };
    },
  },
  {
    name: "ZooKeeper",
    requirements: ["zookeeper", "java", "ip", "iptables", "haproxy"],
    async start(t) {
      const net = network(["z1", ...machines]);
      const servers = await ensemble({ tick_ms: 1000, network: net }).catch(async (error: unknown) => {
        await net.end();
        throw error;
      });
      // In this order: with the network its processes end.
      t.after(() => servers.end());
      t.after(() => net.end());
      return { net, lock: servers.url("/database") };
    },
  },
];

export type Container = {
  name: Name;
  /** Podman's, new at each start. */
  id: string;
  /** Its first process: the guard. */
  outer: Process;
};

export type PairOptions = {
  podman: Podman;
  image: Image;
  service: Service;
  /** Of leasehold, besides lock, volume, profile and listen: as environment. */
  env?: Readonly<Record<string, string>>;
  /** Of podman run. */
  run?: readonly string[];
  /** Instead of `singleton-NAME`. */
  tag?: string;
};

export class ContainerPair {
  readonly net: Network;
  /** Where clients come: on machine `front`, and out here. */
  readonly front: { port: number };
  readonly volume: string;
  readonly #options: PairOptions;
  readonly #lock: string;
  readonly #containers = new Map<Name, Container>();
  readonly #doors: Readonly<Record<Name, number>>;
  #starts = 0;

  static async start(t: Owner, options: PairOptions): Promise<ContainerPair> {
    const { net, lock } = await options.service.start(t);
    const [app, http] = [options.image.port, listen];
    const haproxy = spawn(
      net.exec("front")[0] ?? "",
      [...net.exec("front").slice(1), "haproxy", "-db", "-f", join(examples, "haproxy/haproxy.cfg")],
      {
        stdio: "ignore",
        env: {
          PATH: process.env.PATH,
          APP_BIND: `:${app}`,
          A_APP: `${net.address("a")}:${app}`,
          A_LISTEN: `${http}`,
          B_APP: `${net.address("b")}:${app}`,
          B_LISTEN: `${http}`,
        },
      },
    );
    t.after(async () => void haproxy.kill("SIGKILL"));
    const doors = { a: await net.door("a", http), b: await net.door("b", http) };
    const pair = new ContainerPair(options, net, lock, await net.door("front", app), doors);
    t.after(() => pair.close());
    return pair;
  }
  private constructor(
    options: PairOptions,
    net: Network,
    lock: string,
    port: number,
    doors: Readonly<Record<Name, number>>,
  ) {
    this.#doors = doors;
    this.#options = options;
    this.net = net;
    this.#lock = lock;
    this.front = { port };
    this.volume = join(options.podman.folder, `volume-${process.hrtime.bigint()}`);
    mkdirSync(this.volume);
  }

  async start(name: Name): Promise<Container> {
    const { podman, image, env = {}, run = [] } = this.#options;
    const all = {
      LEASEHOLD_VOLUME: image.volume,
      LEASEHOLD_PROFILE: image.name,
      ...env,
      LEASEHOLD_LISTEN: `0.0.0.0:${listen}`,
      LEASEHOLD_LOCK: this.#lock,
    };
    const variables = Object.entries(all).flatMap(([key, value]) => ["--env", `${key}=${value}`]);
    const where = [`--network=ns:${this.net.namespace(name)}`, "--volume", `${this.volume}:${image.volume}`];
    const { tag = `singleton-${image.name}` } = this.#options;
    const options = [...where, ...variables, ...run];
    const id = await podman.create(`${name}-${++this.#starts}`, tag, options, image.cmd);
    const outer = read_process(Number(await podman.run("inspect", "--format", "{{.State.Pid}}", id)));
    if (!outer) throw new Error(`${name} ended at once:\n${await this.log(id)}`);
    const container = { name, id, outer };
    this.#containers.set(name, container);
    return container;
  }

  log(id: string): Promise<string> {
    return this.#options.podman.log(id).catch(String);
  }
  async story(): Promise<string> {
    const all = [...this.#containers.values()];
    const logs = await Promise.all(all.map(async ({ name, id }) => `${name}:\n${await this.log(id)}`));
    return logs.map((text) => text.split("\n").slice(-60).join("\n")).join("\n\n");
  }

  /** Says it over HTTP: it holds the lock, and its app is ready. */
  async #ready(name: Name): Promise<boolean> {
    const url = `http://127.0.0.1:${this.#doors[name]}/readyz`;
    const answer = await fetch(url, { signal: AbortSignal.timeout(2000) }).catch(() => null);
    await answer?.body?.cancel();
    return answer?.ok === true;
  }
  async holder(but?: Container): Promise<Container> {
    const look = async (): Promise<Container | false> => {
      for (const container of this.#containers.values())
        if (container.id !== but?.id && (await this.#ready(container.name))) return container;
      return false;
    };
    return this.told(until(look, "a ready holder", undefined, 120_000));
  }
  /** The one of the two that this one isn't. */
  other({ name }: Container): Container {
    const found = [...this.#containers.values()].find((one) => one.name !== name);
    if (!found) throw new Error(`${name} is alone`);
    return found;
  }
  waits(container: Container): Promise<unknown> {
    const look = async (): Promise<boolean> => (await this.log(container.id)).includes("waiting: ");
    return this.told(until(look, `${container.name}'s waiting`));
  }

  /** With all logs, when it fails. */
  async told<T>(promise: Promise<T>): Promise<T> {
    return promise.catch(async (error: unknown) => {
      throw new Error(`${String(error)}\n${await this.story()}`, { cause: error });
    });
  }

  /** Its exit code, as podman has it. */
  async end(container: Container): Promise<number> {
    return Number(await this.told(this.#options.podman.run("wait", container.id)));
  }
  async remove({ name, id }: Container): Promise<void> {
    await this.#options.podman.run("rm", id);
    this.#containers.delete(name);
  }

  /** All containers are removed, and the network with HAProxy goes. */
  async close(): Promise<void> {
    const { podman } = this.#options;
    for (const { id } of this.#containers.values()) {
      await podman.run("unpause", id).catch(() => {}); // a test failed while it was paused
      await podman.run("rm", "--force", "--ignore", "--time", "0", id);
    }
    await this.net.end();
  }

  /** All that runs or is dead and not reaped in it. */
  processes({ outer }: Container): Process[] {
    return [outer, ...descendants(outer.pid)];
  }
  part(container: Container, part: "controller" | "inner" | "app"): Process {
    const all = this.processes(container);
    const { outer } = container;
    const inner = all.find(({ comm }) => comm === "lh-inner");
    const found = {
      inner,
      controller: all.find(({ ppid, comm }) => ppid === outer.pid && !comm.startsWith("lh-")),
      app: all.find(({ ppid }) => ppid === inner?.pid),
    }[part];
    if (!found) throw new Error(`${container.name} has no ${part}`);
    return found;
  }
}
