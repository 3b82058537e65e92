// One lock and those who contend for it: leasehold, or one of the two programs beside us. Their app is the stamper.

import { spawn } from "node:child_process";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { at_end } from "../../test/support/at-end.ts";
import { Contender, Contenders, stamper, until, type Life } from "../../test/support/contenders.ts";
import { read_process } from "../../test/support/processes.ts";
import { operator } from "../../test/support/zookeeper.ts";
import type { Who } from "./line.ts";
import { etcd, leasehold, now_ns, zookeeper, type Ends } from "./services.ts";

type Backend = "etcd" | "zookeeper";
export type Kind = { who: Who; backend: Backend; ours: boolean };
export const kinds: readonly Kind[] = [
  { who: "leasehold, etcd", backend: "etcd", ours: true },
  { who: "etcdctl lock", backend: "etcd", ours: false },
  { who: "leasehold, ZooKeeper", backend: "zookeeper", ours: true },
  { who: "kazoo wrapper", backend: "zookeeper", ours: false },
];

export type StartOptions = {
  ttl_ms?: number;
  /** Of the servers, when they are reached by relays. */
  ports?: readonly number[];
  /** More options of leasehold. */
  args?: readonly string[];
  stamper?: readonly ("ignore" | "daemon")[];
  /** Instead of the stamper. */
  app?: readonly string[];
  /** What starts it, and becomes it. */
  wrapper?: readonly string[];
};

export async function ports_of(backend: Backend): Promise<number[]> {
  return backend === "etcd"
    ? (await etcd()).members.map(({ port }) => port)
    : (await zookeeper()).servers.map(({ port }) => port);
}

const wrapper = join(import.meta.dirname, "wrapper.py");
const python = "/usr/bin/python3";
/** etcdctl's app gets no number of its own, by which to tell its lives apart. */
const numbered = ["sh", "-c", 'LEASEHOLD_TOKEN=$$ exec "$@"', "sh"];

/** The command line of one contender. */
export async function command(
  kind: Kind,
  name: string,
  app: readonly string[],
  { ttl_ms = 30_000, ports, args = [] }: Omit<StartOptions, "app"> = {},
): Promise<[string, ...string[]]> {
  const hosts = (ports ?? (await ports_of(kind.backend))).map((port) => `127.0.0.1:${port}`).join(",");
  const scheme = kind.backend === "etcd" ? "etcd" : "zk";
  if (kind.ours)
    return [
      ...([leasehold, "run", "--lock", `${scheme}://${hosts}/${name}`, "--ttl", `${ttl_ms}ms`] as const),
      ...[...args, "--", ...app],
    ];
  const seconds = `${ttl_ms / 1000}`;
  if (kind.backend === "etcd")
    return [
      "/usr/bin/etcdctl",
      `--endpoints=${hosts}`,
      "lock",
      `--ttl=${seconds}`,
      "--",
      name,
      ...numbered,
      ...app,
    ];
  return [python, wrapper, hosts, `/${name}`, seconds, ...app];
}

let scenes = 0;

export class Scene {
  readonly kind: Kind;
  readonly name = `bench-${++scenes}`;
  readonly #cast: Contenders;

  constructor(ends: Ends, kind: Kind) {
    this.kind = kind;
    this.#cast = new Contenders(ends);
    // Orphans of etcdctl and of the wrapper have nobody else who ends them.
    const end = at_end(
      `for p in $(cat "$1/beside" 2>/dev/null); do
        grep -qE "^(etcdctl|python3)" "/proc/$p/comm" 2>/dev/null && kill -9 "$p"; done; sleep 0.05
      for f in "$1"/life-*; do p=\${f##*/life-}; p=\${p%%-*}
        grep -qx stamper "/proc/$p/comm" 2>/dev/null && kill -9 "$p"; done; :`,
      this.#cast.folder,
    );
    ends.after(end);
  }

  async start(options: StartOptions = {}): Promise<Contender> {
    const app = options.app ?? [stamper, this.#cast.folder, ...(options.stamper ?? [])];
    const { kind, name } = this;
    const line = await command(kind, name, app, {
      ...options,
      args: ["--log-format", "json", ...(options.args ?? [])],
    });
    const [program = "", ...args] = [...(options.wrapper ?? []), ...line];
    const env = { PATH: process.env.PATH, ETCDCTL_API: "3" };
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env });
    const file = join(this.#cast.folder, kind.ours ? "guards" : "beside");
    appendFileSync(file, `${child.pid ?? ""}\n`);
    const contender = new Contender(`${name}-${this.#cast.all.length + 1}`, child, true);
    this.#cast.all.push(contender);
    return contender;
  }

  lives(): Life[] {
    return this.#cast.lives();
  }
  overlap_ms(): number {
    return this.#cast.overlap_ms();
  }
  story(): string {
    return this.#cast.story();
  }

  /** The lives of the tenure that is number so many, from 1; waits for it, null: it didn't come. */
  async tenure(number: number, patience_ms = 30_000): Promise<Life | null> {
    const begins = (): Life | undefined => {
      const firsts = new Map<bigint, Life>();
      for (const life of this.lives()) if (!firsts.has(life.token)) firsts.set(life.token, life);
      return [...firsts.values()][number - 1];
    };
    return until(begins, "an app's start", () => "", patience_ms).catch(() => null);
  }
  /** As tenure(), for the first one: without it there is nothing to measure. */
  async first(processes = 1): Promise<Life[]> {
    await until(
      () => this.lives().length >= processes,
      `${this.kind.who}: the app's start`,
      () => this.story(),
    );
    return this.lives();
  }

  /** From the last sign of life of the first tenure to the first one of the second; negative: they overlap. */
  gap_ms(): number {
    const [first, ...rest] = this.lives();
    const second = rest.find(({ token }) => token !== first?.token);
    if (!first || !second) return Number.NaN;
    const last = this.lives().filter(({ token }) => token === first.token);
    const last_ns = last.reduce((latest, { last_ns }) => (last_ns > latest ? last_ns : latest), 0n);
    return Number(second.begin_ns - last_ns) / 1e6;
  }

  /** A contender stands by. */
  async waits(contender: Contender): Promise<void> {
    const { kind, name } = this;
    if (kind.ours) await contender.line(/waiting: the lock is held/);
    else if (kind.backend === "etcd") {
      const servers = await etcd();
      await poll(
        () => servers.ctl(["get", "--prefix", "--keys-only", `${name}/`]).match(/\S+/g)?.length ?? 0,
      );
    } else {
      const target = (await zookeeper()).target("");
      await poll(() =>
        operator(target, async (connection) => (await connection.children(`/${name}`)).length),
      );
    }
  }

  /** Deletes the lock's key or node, as an operator would. The instant just before. */
  async delete_key(): Promise<bigint> {
    const { kind, name } = this;
    if (kind.backend === "zookeeper") {
      const target = (await zookeeper()).target("");
      return operator(target, async (connection) => {
        const all = kind.ours ? ["lock"] : await connection.children(`/${name}`);
        const path = `/${name}/${all === "no-node" ? "" : (all[0] ?? "")}`;
        const at_ns = now_ns();
        const answer = await connection.multi([{ op: "delete", path, version: -1 }]);
        if (answer !== "done") throw new Error(`${path} could not be deleted: ${answer.why}`);
        return at_ns;
      });
    }
    const [server] = (await etcd()).endpoints;
    const url = `http://${server?.host}:${server?.port}/v3/kv`;
    const base64 = (text: string): string => Buffer.from(text).toString("base64");
    const key = kind.ours ? `/${name}/lock` : `${name}/`;
    const range = { key: base64(key), ...(kind.ours ? {} : { range_end: base64(`${name}0`) }) };
    // The connection is up before it counts.
    const ask = (what: string): Promise<Response> =>
      fetch(`${url}/${what}`, { method: "POST", body: JSON.stringify(range) });
    await (await ask("range")).text();
    const at_ns = now_ns();
    const answer = await (await ask("deleterange")).text();
    if (!/"deleted":"[1-9]/.test(answer)) throw new Error(`${key} could not be deleted: ${answer}`);
    return at_ns;
  }

  /** What lives of the app, whoever started it. */
  alive(): Life[] {
    return this.lives().filter(({ pid }) => {
      const now = read_process(pid);
      return now?.comm === "stamper" && now.state !== "Z" && now.state !== "X";
    });
  }
}

async function poll(count: () => number | Promise<number>): Promise<void> {
  for (let tries = 0; (await count()) < 2; tries++) {
    if (tries > 100) throw new Error("the second contender doesn't wait for the lock");
    await sleep(100);
  }
}
