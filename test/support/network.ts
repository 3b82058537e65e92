// Machines on one network, as network namespaces on a bridge, between which packets can be lost. Nothing of it is seen in
// the machine's own namespace, but for doors: ports of 127.0.0.1 that lead inside. Needs root; Debian packages iproute2, iptables.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { at_end } from "./at-end.ts";

export type Network = {
  readonly names: readonly string[];
  address(name: string): string;
  /** What starts a program there: it becomes the program, under the same pid. */
  exec(name: string): string[];
  /** Its network namespace, as a file. */
  namespace(name: string): string;
  /** What it and these others send to each other is lost, silently; also on connections that are up. All at one moment. */
  cut(a: string, ...others: string[]): void;
  mend(a: string, ...others: string[]): void;
  /** What `from` sends doesn't reach `to`; the other way it does. */
  lose(from: string, to: string): void;
  mend_all(): void;
  /** A port of 127.0.0.1 out here that leads to a port there, whatever is cut. */
  door(name: string, port: number): Promise<number>;
  end(): Promise<void>;
};

let networks = 0;

/** Machines of these names, all reachable from each other. Everything is removed, and all that runs there killed, at the end. */
export function network(names: readonly string[]): Network {
  networks += 1;
  const prefix = `lh-${process.pid}-${networks}`;
  const space = (name: string): string => `${prefix}-${name}`;
  const hub = space("hub");
  const address = (name: string): string => `10.77.0.${place(name)}`;
  const place = (name: string): number => {
    const index = names.indexOf(name);
    if (index < 0) throw new Error(`no machine is called ${name}`);
    return index + 1;
  };

  const doors: (() => Promise<void>)[] = [];
  const remove = at_end(
    'for n in "$@"; do ip netns pids "$n" 2>/dev/null | xargs -r kill -9 2>/dev/null; ip netns del "$n" 2>/dev/null; done; :',
    ...names.map(space),
    hub,
  );
  // Without its own lo up, a server there can't talk to itself.
  const build = names.flatMap((name) => [
    `ip netns add ${space(name)}`,
    `ip -n ${hub} link add v${place(name)} type veth peer name eth0 netns ${space(name)}`,
    `ip -n ${hub} link set v${place(name)} master bridge up`,
    `ip -n ${space(name)} addr add ${address(name)}/24 dev eth0`,
    `ip -n ${space(name)} link set lo up`,
    `ip -n ${space(name)} link set eth0 up`,
  ]);
  shell([
    `ip netns add ${hub}`,
    `ip -n ${hub} link add bridge type bridge`,
    `ip -n ${hub} link set bridge up`,
    ...build,
  ]);

  /** Where it arrives: a sender would be told that its own rule dropped it. */
  const rule = (act: "-I" | "-D", from: string, to: string): string =>
    `${exec(to).join(" ")} iptables -w ${act} INPUT -s ${address(from)} -j DROP`;
  const namespace = (name: string): string => (place(name), `/run/netns/${space(name)}`);
  const exec = (name: string): string[] => ["nsenter", `--net=${namespace(name)}`, "--"];
  const lost = new Set<string>();
  const change = (act: "-I" | "-D", pairs: readonly [string, string][]): void => {
    const news = pairs.filter(([from, to]) => lost.has(`${from} ${to}`) === (act === "-D"));
    shell(news.map(([from, to]) => rule(act, from, to)));
    for (const [from, to] of news) lost[act === "-I" ? "add" : "delete"](`${from} ${to}`);
  };
  const both = (a: string, others: readonly string[]): [string, string][] =>
    others.flatMap((b): [string, string][] => [
      [a, b],
      [b, a],
    ]);
  return {
    names,
    address,
    exec,
    namespace,
    cut: (a, ...others) => change("-I", both(a, others)),
    mend: (a, ...others) => change("-D", both(a, others)),
    lose: (from, to) => change("-I", [[from, to]]),
    mend_all: () =>
      change(
        "-D",
        [...lost].map((pair) => pair.split(" ") as [string, string]),
      ),
    async door(name, port) {
      const opened = await open_door(exec(name), address(name), port);
      doors.push(opened.end);
      return opened.port;
    },
    async end() {
      for (const end of doors) await end();
      await remove();
    },
  };
}

function shell(lines: readonly string[]): void {
  const { status, stderr } = spawnSync("sh", ["-ec", lines.join("\n")], { encoding: "utf8" });
  if (status !== 0) throw new Error(`the network can't be made or changed: ${stderr}`);
}

/** The listening socket is of this namespace, and given to a process of the other one. */
async function open_door(
  exec: readonly string[],
  host: string,
  port: number,
): Promise<{ port: number; end: () => Promise<void> }> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const [program, ...args] = [...exec, process.execPath, import.meta.filename, host, String(port)];
  const child = spawn(program, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const opened = once(child, "message");
  child.send("door", server);
  await opened;
  server.close();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    async end() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

/** Inside: takes what comes in at the socket that it was given, and connects it to one port. */
function main(host: string, port: number): void {
  const pump = (from: Socket, to: Socket): void => {
    from.pipe(to);
    from.on("error", () => to.destroy()).on("close", () => to.destroySoon());
  };
  process.on("message", (_, handle) => {
    const server = handle as Server;
    server.on("connection", (client: Socket) => {
      const upstream = connect({ host, port });
      pump(client, upstream);
      pump(upstream, client);
    });
    process.send?.("open");
  });
  process.on("disconnect", () => process.exit());
}

if (import.meta.main) main(process.argv[2] ?? "", Number(process.argv[3]));
