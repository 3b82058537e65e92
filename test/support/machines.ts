// Machines of a network that also have mounts and a host name of their own, as long as a scene lasts (scene.ts).

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { type Network, network } from "./network.ts";

export class Machine {
  readonly name: string;
  readonly address: string;
  readonly #pid: number;

  constructor(name: string, address: string, pid: number) {
    this.name = name;
    this.address = address;
    this.#pid = pid;
  }

  /** Its file tree, for who is outside. */
  get root(): string {
    return `/proc/${this.#pid}/root`;
  }

  /** What starts a program there: it becomes the program, under the same pid. */
  get exec(): string[] {
    return ["nsenter", "--target", String(this.#pid), "--net", "--uts", "--mount", "--"];
  }

  /** Runs a shell script there, to its end. What it writes to its standard output. */
  run(script: string, ...args: string[]): string {
    const [program = "", ...words] = [...this.exec, "sh", "-ec", script, this.name, ...args];
    return execFileSync(program, words, { stdio: ["ignore", "pipe", "inherit"], encoding: "utf8" });
  }

  /** Starts a program there that ends with the scene. */
  start(...command: string[]): void {
    const [program = "", ...words] = [...this.exec, ...command];
    spawn(program, words, { stdio: "ignore" }).unref();
  }

  /** Until somebody listens there. */
  listening(port: number): void {
    this.run(`timeout 60 sh -c 'until ss -Hltn "sport = $1" | grep -q .; do sleep 0.1; done' wait ${port}`);
  }
}

export type Machines<Name extends string> = {
  readonly network: Network;
  readonly machines: Readonly<Record<Name, Machine>>;
};

export async function machines<Name extends string>(names: readonly Name[]): Promise<Machines<Name>> {
  const net = network(names);
  const found: Partial<Record<Name, Machine>> = {};
  for (const name of names) found[name] = await machine(name, net.address(name), net.exec(name));
  return { network: net, machines: found as Record<Name, Machine> };
}

/** within: what starts a program in its network; nothing: in the scene's own, where a machine has only its own mounts and name. */
export async function machine(
  name: string,
  address: string,
  within: readonly string[] = [],
): Promise<Machine> {
  const words = ["unshare", "--uts", "--mount", "--propagation", "private", "--", "sh", "-ec", alive];
  const [program, ...args] = [...within, ...words, name, within.join(" ")];
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  child.unref();
  (child.stdout as unknown as { unref(): void }).unref();
  return new Machine(name, address, child.pid ?? 0);
}

/** A client of NFSv4 is known by its host's name. What /sys shows is of a network: with one of its own it has to be mounted anew. */
const alive = `
hostname "$0"
[ -z "$1" ] || mount -t sysfs sysfs /sys
echo up
exec sleep infinity
`;
