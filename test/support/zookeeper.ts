// Real ZooKeeper servers on 127.0.0.1, one or an ensemble, each a process that can be stopped, killed and started again.

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

export type Server = {
  port: number;
  /** SIGSTOP and SIGCONT. */
  stop(): void;
  resume(): void;
  kill(): Promise<void>;
  start(): Promise<void>;
  mode(): Promise<"leader" | "follower" | "standalone" | null>;
};
export type Ensemble = { servers: Server[]; target(path: string): ZooKeeperTarget; end(): Promise<void> };
export type EnsembleOptions = {
  size?: 1 | 3;
  /** Sessions last from 2 to 20 of it; a follower is given up after 5. */
  tick_ms?: number;
  /** More lines of zoo.cfg, of each server. */
  config?: string[];
};

export async function ensemble({
  size = 1,
  tick_ms = 500,
  config = [],
}: EnsembleOptions = {}): Promise<Ensemble> {
  const directory = await mkdtemp(join(tmpdir(), "leasehold-zookeeper-"));
  const numbers = Array.from({ length: size }, (_, index) => index + 1);
  const ports = await free_ports(size * 3);
  const port = (number: number, which: number): number => ports[(number - 1) * 3 + which] ?? 0;
  const members = numbers.map(
    (n) => `server.${n}=127.0.0.1:${port(n, 1)}:${port(n, 2)};127.0.0.1:${port(n, 0)}`,
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
      const own = size === 1 ? [`clientPort=${port(1, 0)}`, "clientPortAddress=127.0.0.1"] : members;
      servers.push(
        await server_at(home, number, port(number, 0), [...lines, `dataDir=${home}/data`, ...own]),
      );
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
  return { servers, target, end };
}

async function server_at(
  home: string,
  number: number,
  port: number,
  config: string[],
): Promise<Server & { end(): Promise<void> }> {
  await mkdir(join(home, "data"), { recursive: true });
  await writeFile(join(home, "data", "myid"), `${number}\n`);
  await writeFile(join(home, "zoo.cfg"), `${config.join("\n")}\n`);
  let running: { pid: number; exited: Promise<unknown>; end: () => Promise<void> } | undefined;

  const signal = (name: "SIGSTOP" | "SIGCONT" | "SIGKILL"): void => {
    if (running) process.kill(running.pid, name);
  };
  const mode = async (): Promise<"leader" | "follower" | "standalone" | null> => {
    const answer = await four_letters(port, "srvr").catch(() => "");
    return (/^Mode: (leader|follower|standalone)$/m.exec(answer)?.[1] ?? null) as Awaited<
      ReturnType<typeof mode>
    >;
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
    const jvm = ["-Xmx200m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", "/usr/share/java/*"];
    const main = "org.apache.zookeeper.server.quorum.QuorumPeerMain";
    const child = spawn("java", [...jvm, main, join(home, "zoo.cfg")], {
      stdio: ["ignore", log.fd, log.fd],
      cwd: home,
    });
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
