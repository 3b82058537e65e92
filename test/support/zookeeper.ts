// Real ZooKeeper servers, one or an ensemble, each a process that can be stopped, killed and started again. They are on
// 127.0.0.1, or each on a machine of a network of the test's own, and then 127.0.0.1 has a door to each.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ZooKeeperSession, type ZooKeeperTarget } from "../../src/lock/zookeeper/session.ts";
import type { ZooKeeperConnection } from "../../src/lock/zookeeper/api.ts";
import { at_end } from "./at-end.ts";
import type { Network } from "./network.ts";

export type Server = {
  /** On 127.0.0.1. */
  port: number;
  /** For those inside the network. */
  host: string;
  /** Of the last start. */
  pid: () => number;
  /** SIGSTOP and SIGCONT. */
  stop: () => void;
  resume: () => void;
  kill: () => Promise<void>;
  start: () => Promise<void>;
  /** null: it doesn't serve. */
  mode: () => Promise<string | null>;
};
export type Ensemble = {
  servers: Server[];
  target: (path: string) => ZooKeeperTarget;
  /** The lock's URL, for those inside the network, which name only these servers (all). */
  url: (path: string, servers?: readonly Server[]) => string;
  end: () => Promise<void>;
};
export type EnsembleOptions = {
  size?: 1 | 3;
  /** Sessions last from 2 to 20 of it; a follower is given up after 5. */
  tick_ms?: number;
  /** More lines of zoo.cfg, of each server. */
  config?: string[];
  /** More options of the JVM. */
  jvm?: string[];
  /** Server n lives on machine `z<n>` of it. */
  network?: Network;
};

/** Inside a network. */
export const client_port = 2181;

export async function ensemble({
  size = 1,
  tick_ms = 500,
  config = [],
  jvm = [],
  network,
}: EnsembleOptions = {}): Promise<Ensemble> {
  const directory = await mkdtemp(join(tmpdir(), "leasehold-zookeeper-"));
  const numbers = Array.from({ length: size }, (_, index) => index + 1);
  const ports = network ? [] : await free_ports(size * 3);
  const inside = [client_port, 2888, 3888];
  const port = (n: number, which: 0 | 1 | 2): number =>
    (network ? inside[which] : ports[(n - 1) * 3 + which]) ?? 0;
  const host = (n: number): string => network?.address(`z${n}`) ?? "127.0.0.1";
  const members = numbers.map(
    (n) => `server.${n}=${host(n)}:${port(n, 1)}:${port(n, 2)};${host(n)}:${port(n, 0)}`,
  );
  const lines = [
    `tickTime=${tick_ms}`,
    "initLimit=20",
    "syncLimit=5",
    "maxClientCnxns=0",
    "admin.enableServer=false",
    "4lw.commands.whitelist=srvr",
    ...config,
  ];
  const servers: (Server & { end(): Promise<void> })[] = [];
  const end = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.end()));
    await rm(directory, { recursive: true, force: true });
  };
  try {
    for (const number of numbers) {
      const home = join(directory, String(number));
      const own = size === 1 ? [`clientPort=${port(1, 0)}`, `clientPortAddress=${host(1)}`] : members;
      const at = {
        port: (await network?.door(`z${number}`, client_port)) ?? port(number, 0),
        host: host(number),
        exec: network?.exec(`z${number}`) ?? [],
      };
      servers.push(await server_at(home, number, at, jvm, [...lines, `dataDir=${home}/data`, ...own]));
    }
    await Promise.all(servers.map((server) => server.start()));
  } catch (error) {
    await end();
    throw error;
  }
  const target = (path: string): ZooKeeperTarget => ({
    servers: servers.map((server) => ({ host: "127.0.0.1", port: server.port })),
    tls: false,
    path,
  });
  const url = (path: string, named: readonly Server[] = servers): string =>
    `zk://${named.map((server) => `${server.host}:${network ? client_port : server.port}`).join(",")}${path}`;
  return { servers, target, url, end };
}

async function server_at(
  home: string,
  number: number,
  { port, host, exec }: { port: number; host: string; exec: string[] },
  jvm: string[],
  config: string[],
): Promise<Server & { end(): Promise<void> }> {
  await mkdir(join(home, "data"), { recursive: true });
  await writeFile(join(home, "data", "myid"), `${number}\n`);
  await writeFile(join(home, "zoo.cfg"), `${config.join("\n")}\n`);
  let running: { pid: number; exited: Promise<unknown>; end: () => Promise<void> } | undefined;

  const signal = (name: "SIGSTOP" | "SIGCONT" | "SIGKILL"): void => {
    if (running) process.kill(running.pid, name);
  };
  const mode = async (): Promise<string | null> => {
    const answer = await four_letters(port, "srvr").catch(() => "");
    return /^Mode: (.+)$/m.exec(answer)?.[1] ?? null;
  };
  const kill = async (): Promise<void> => {
    if (!running) return;
    const { exited, end } = running;
    signal("SIGKILL");
    running = undefined;
    await exited;
    await end();
  };
  const start = async (): Promise<void> => {
    const log = await open(join(home, "log"), "a");
    const small = ["-Xmx200m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
    const main = "org.apache.zookeeper.server.quorum.QuorumPeerMain";
    const java = ["java", ...small, ...jvm, "-cp", "/usr/share/java/*", main, join(home, "zoo.cfg")] as const;
    const [program, ...args] = [...exec, ...java];
    const child = spawn(program, args, { stdio: ["ignore", log.fd, log.fd], cwd: home });
    const exited = once(child, "exit");
    if (child.pid === undefined) throw new Error("java did not start");
    running = { pid: child.pid, exited, end: at_end('kill -9 "$1" 2>/dev/null || :', String(child.pid)) };
    await log.close();
    for (const end = Date.now() + 40_000; (await mode()) === null; await sleep(50)) {
      if (child.exitCode !== null) throw new Error(`ZooKeeper ended with ${child.exitCode}, see ${home}/log`);
      if (Date.now() > end) throw new Error("ZooKeeper did not serve within 40 s");
    }
  };
  return {
    port,
    host,
    pid: () => running?.pid ?? 0,
    stop: () => signal("SIGSTOP"),
    resume: () => signal("SIGCONT"),
    kill,
    start,
    mode,
    end: kill,
  };
}

/** ZooKeeper's own way of asking a server about itself. */
async function four_letters(port: number, word: string): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port, timeout: 2000 });
  socket.on("timeout", () => socket.destroy(new Error("no answer")));
  socket.write(word);
  let answer = "";
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}

/** Free when they were looked for; the kernel gives out others before these come again. */
export async function free_ports(count: number): Promise<number[]> {
  const listening = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(listening.map((server) => once(server, "listening")));
  const ports = listening.map((server) => {
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  });
  await Promise.all(listening.map((server) => once(server.close(), "close")));
  return ports;
}

/** An operator's connection, with a session of its own. */
export async function operator<T>(
  target: ZooKeeperTarget,
  act: (connection: ZooKeeperConnection) => Promise<T>,
  credentials = {},
): Promise<T> {
  const api = new ZooKeeperSession(target, { attempt_ms: 5000, credentials });
  const answer = await api.connect({ timeout_ms: 10_000, on_sent: () => {}, on_event: () => {} });
  if (answer.kind === "session-gone") throw new Error("no session for the operator");
  try {
    return await act(answer.connection);
  } finally {
    await answer.connection.close_session().catch(() => {});
  }
}
