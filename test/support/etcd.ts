// Real etcd servers on 127.0.0.1: one, or a cluster, each a process that can be stopped, killed and started again.

import { spawn, spawnSync } from "node:child_process";
import { type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, openSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { at_end } from "./at-end.ts";

export type EtcdOptions = {
  members?: number;
  /** More of etcd's own options, such as --cert-file=…; https: it serves TLS. */
  args?: readonly string[];
  https?: boolean;
  /** What it listens on, default 127.0.0.1. */
  host?: "127.0.0.1" | "::1";
  /** Servers, of one member each, with the same ids of cluster and member: nobody can tell one from the other. */
  twin?: true;
};

export class Member {
  readonly name: string;
  readonly port: number;
  readonly #folder: string;
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;
  #end: (() => Promise<void>) | undefined;

  constructor(name: string, port: number, folder: string, args: readonly string[]) {
    this.name = name;
    this.port = port;
    this.#folder = folder;
    this.#args = args;
  }

  start(): void {
    const log = openSync(join(this.#folder, `${this.name}.log`), "a");
    this.#child = spawn("etcd", this.#args, { stdio: ["ignore", log, log], env: { PATH: process.env.PATH } });
    // Also when this process dies by SIGKILL.
    this.#end = at_end(
      'grep -qx etcd "/proc/$1/comm" 2>/dev/null && kill -9 "$1"; true',
      String(this.#child.pid),
    );
    this.#child.unref();
  }
  get runs(): boolean {
    const child = this.#child;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }
  stop(): void {
    this.#child?.kill("SIGSTOP");
  }
  resume(): void {
    this.#child?.kill("SIGCONT");
  }
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || !this.runs) return;
    child.ref();
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
    await this.#end?.();
  }
  /** All that it has stored. It must be dead. */
  wipe(): void {
    rmSync(join(this.#folder, this.name), { recursive: true, force: true });
  }
}

export class Etcd {
  readonly members: readonly Member[];
  readonly #scheme: string;
  /** More options of etcdctl, such as --cacert. */
  ctl_args: readonly string[] = [];

  readonly #host: string;

  constructor(members: readonly Member[], https: boolean, host: string) {
    this.members = members;
    this.#host = host;
    this.#scheme = https ? "https" : "http";
  }

  get endpoints(): { host: string; port: number }[] {
    return this.members.map(({ port }) => ({ host: this.#host, port }));
  }

  /** etcdctl, as an operator uses it. Throws when it fails. */
  ctl(args: readonly string[]): string {
    const urls = this.members
      .map(({ port }) => `${this.#scheme}://${bracketed(this.#host)}:${port}`)
      .join(",");
    const all = ["--endpoints", urls, "--command-timeout=10s", ...this.ctl_args, ...args];
    const env = { PATH: process.env.PATH, ETCDCTL_API: "3" };
    const { status, stdout, stderr } = spawnSync("etcdctl", all, { env, encoding: "utf8" });
    if (status !== 0) throw new Error(`etcdctl ${args.join(" ")}: ${stderr}`);
    return stdout.trimEnd();
  }

  /** The member that leads now. */
  leader(): Member {
    type Status = { Endpoint: string; Status: { leader: number; header: { member_id: number } } };
    const all = JSON.parse(this.ctl(["endpoint", "status", "-w", "json"])) as Status[];
    const one = all.find(({ Status }) => Status.leader === Status.header.member_id);
    const member = this.members.find(({ port }) => one?.Endpoint.endsWith(`:${port}`) === true);
    if (member === undefined) throw new Error("nobody leads");
    return member;
  }

  /** All members serve. */
  async ready(): Promise<void> {
    for (const end = Date.now() + 30_000; Date.now() < end; await sleep(100)) {
      try {
        this.ctl(["endpoint", "health"]);
        return;
      } catch {
        // not yet
      }
    }
    throw new Error("etcd did not start within 30 s");
  }

  stop(): void {
    for (const member of this.members) member.stop();
  }
  resume(): void {
    for (const member of this.members) member.resume();
  }
}

/** Servers that end with the test. */
export async function etcd(t: TestContext, options: EtcdOptions = {}): Promise<Etcd> {
  const started = await start_etcd(options);
  t.after(() => started.end());
  return started.etcd;
}

/** As etcd(), for a whole suite: whoever starts it ends it. */
export async function start_etcd({
  members = 1,
  args = [],
  https = false,
  host = "127.0.0.1",
  twin,
}: EtcdOptions): Promise<{
  etcd: Etcd;
  end: () => Promise<void>;
}> {
  const folder = mkdtempSync(join(tmpdir(), "leasehold-etcd-"));
  const scheme = https ? "https" : "http";
  const ports = await free_ports(members * 2);
  const plan = Array.from({ length: members }, (_, index) => ({
    name: `m${index}`,
    port: ports[index * 2] ?? 0,
    peer: `http://127.0.0.1:${ports[index * 2 + 1]}`,
  }));
  // The ids are made of these: who is alone asks nobody there.
  const known_as = (peer: string): string => (twin ? "http://127.0.0.1:1" : peer);
  const cluster = plan.map(({ name, peer }) => `${name}=${known_as(peer)}`).join(",");
  const all = plan.map(({ name, port, peer }) => {
    const own = { "--name": name, "--data-dir": join(folder, name), "--initial-cluster": cluster };
    const client = `${scheme}://${bracketed(host)}:${port}`;
    const urls = {
      "--listen-client-urls": client,
      "--advertise-client-urls": client,
      "--listen-peer-urls": peer,
      "--initial-advertise-peer-urls": known_as(peer),
      "--initial-cluster-token": twin ? "twin" : folder,
    };
    const words = Object.entries({ ...own, ...urls }).map(([key, value]) => `${key}=${value}`);
    return new Member(name, port, folder, [...words, ...args]);
  });
  const remove = at_end('rm -rf -- "$1"', folder);
  const servers = new Etcd(all, https, host);
  for (const member of all) member.start();
  const end = async (): Promise<void> => {
    for (const member of all) await member.kill();
    await remove();
  };
  return { etcd: servers, end };
}

const bracketed = (host: string): string => (host.includes(":") ? `[${host}]` : host);

async function free_ports(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  const ports: number[] = [];
  for (const server of servers) {
    if (!server.listening) await once(server, "listening");
    const address = server.address();
    if (typeof address === "object" && address !== null) ports.push(address.port);
  }
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}
