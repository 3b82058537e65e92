// An etcd cluster whose members live on machines of a network of the test's own: their peers can be lost while clients reach them.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { at_end } from "./at-end.ts";
import type { Owner } from "./contenders.ts";
import { Etcd, Member } from "./etcd.ts";
import { type Network, network } from "./network.ts";

/** Runs on a machine of the network until that ends. */
class Inside extends Member {
  readonly #child: ChildProcess;
  constructor(name: string, port: number, folder: string, child: ChildProcess) {
    super(name, port, folder, []);
    this.#child = child;
  }
  override stop(): void {
    this.#child.kill("SIGSTOP");
  }
  override resume(): void {
    this.#child.kill("SIGCONT");
  }
  override start(): void {
    throw new Error("it is never killed");
  }
  override kill(): Promise<void> {
    return Promise.reject(new Error("it ends with its machine"));
  }
}

/** Their names are those of the machines. Out here they are reached by doors, whatever is cut. others: more machines. */
export async function etcd_network(
  t: Owner,
  size: number,
  others: readonly string[] = [],
): Promise<{ servers: Etcd; network: Network }> {
  const names = Array.from({ length: size }, (_, index) => `m${index}`);
  const folder = mkdtempSync(join(tmpdir(), "leasehold-etcd-"));
  const machines = network([...names, ...others]);
  const remove = at_end('rm -rf -- "$1"', folder);
  t.after(async () => {
    await machines.end();
    await remove();
    rmSync(folder, { recursive: true, force: true });
  });
  const peer = (name: string): string => `http://${machines.address(name)}:2380`;
  const members: Member[] = [];
  for (const name of names) {
    const log = openSync(join(folder, `${name}.log`), "a");
    const options = {
      "--name": name,
      "--data-dir": join(folder, name),
      "--initial-cluster": names.map((one) => `${one}=${peer(one)}`).join(","),
      "--listen-client-urls": "http://0.0.0.0:2379",
      "--advertise-client-urls": `http://${machines.address(name)}:2379`,
      "--listen-peer-urls": peer(name),
      "--initial-advertise-peer-urls": peer(name),
    };
    const words = Object.entries(options).map(([key, value]) => `${key}=${value}`);
    const [program, ...args] = [...machines.exec(name), "etcd", ...words];
    const env = { PATH: process.env.PATH };
    const child = spawn(program ?? "", args, { stdio: ["ignore", log, log], env });
    child.unref();
    members.push(new Inside(name, await machines.door(name, 2379), folder, child));
  }
  const servers = new Etcd(members, false, "127.0.0.1");
  await servers.ready();
  return { servers, network: machines };
}
