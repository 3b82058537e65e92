// What the scenes about a volume's loss have in common: an etcd, contenders with a stamping app, and what came of them.

import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { hrtime } from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { Contenders, type Contender, type ContenderOptions, until } from "./contenders.ts";
import type { Machine } from "./machines.ts";
import { tell } from "./scene.ts";

/** Waits for what a slow kernel does; no expectation. */
const patience_ms = 100_000;

/** One etcd of this scene: on a machine, or on 127.0.0.1. Its endpoint. */
export async function scene_etcd(machine?: Machine): Promise<string> {
  const host = machine?.address ?? "127.0.0.1";
  mkdirSync("/run/etcd");
  const url = `http://${host}:2379`;
  const peer = `http://${host}:2380`;
  const words = [
    ...["--data-dir", "/run/etcd", "--listen-client-urls", url, "--advertise-client-urls", url],
    ...[
      "--listen-peer-urls",
      peer,
      "--initial-advertise-peer-urls",
      peer,
      "--initial-cluster",
      `default=${peer}`,
    ],
  ];
  const [program = "", ...args] = [...(machine?.exec ?? []), "etcd", ...words];
  spawn(program, args, { stdio: "ignore" }).unref();
  await until(() => answers(`${url}/health`, machine), "etcd", undefined, patience_ms);
  return `${host}:2379`;
}

/** The scene's own network may lead nowhere: it is asked from where it runs. */
async function answers(url: string, machine?: Machine): Promise<boolean> {
  const script = `fetch(${JSON.stringify(url)}).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))`;
  const command: string[] = [...(machine?.exec ?? []), process.execPath, "-e", script];
  const [program = "", ...args] = command;
  const child = spawn(program, args, { stdio: "ignore" });
  const code = await new Promise((resolve) => child.on("exit", resolve));
  if (code !== 0) await sleep(200);
  return code === 0;
}

/** Contenders of one scene; all of it ends with the scene. */
export class Play {
  readonly contenders = new Contenders({ after: () => {} });
  #fault_ns = 0n;

  /** on: the machine. The wrapper becomes leasehold. */
  start(options: ContenderOptions & { on?: Machine }): Contender {
    const { on, ...rest } = options;
    return this.contenders.start({ ...(on && { wrapper: on.exec, node: on.name }), ...rest });
  }

  /** Waits for a sentence in its log. */
  async says(contender: Contender, pattern: RegExp): Promise<void> {
    await until(
      () => contender.lines().some(({ message }) => pattern.test(message)),
      `${contender.node}'s ${pattern}`,
      () => this.contenders.story(),
      patience_ms,
    );
  }

  async runs(contender: Contender): Promise<void> {
    await until(
      () => this.contenders.runs(contender) || contender.ended,
      `an app of ${contender.node}`,
      () => this.contenders.story(),
      patience_ms,
    );
    if (contender.ended) throw new Error(`${contender.node} ended\n${this.contenders.story()}`);
  }

  /** The fault, and from when on times count. */
  fault(act: () => void): void {
    this.#fault_ns = hrtime.bigint();
    act();
  }

  /** The app is dead; how long after the fault it last ran. */
  async tell_dead(contender: Contender): Promise<void> {
    await until(
      () => contender.app === undefined,
      `the end of ${contender.node}'s app`,
      () => this.contenders.story(),
      patience_ms,
    );
    tell("dead", { node: contender.node, app_ran_for_ms: this.#last_ms(contender) });
  }
  /** How the contender whose volume or lock was lost ended, and how long after the fault its app last ran. */
  async tell_end(contender: Contender): Promise<void> {
    const exit = await contender.exited(patience_ms);
    tell("end", {
      node: contender.node,
      exit,
      says: contender.lines().at(-1)?.message,
      app_ran_for_ms: this.#last_ms(contender),
    });
  }
  /** It runs the app that it has run all the time, and nobody else has run one. */
  tell_kept(contender: Contender): void {
    tell("kept", { node: contender.node, runs: this.contenders.runs(contender) && this.#lives() === 1 });
  }
  /** Nobody else has run an app yet. */
  tell_alone(): void {
    tell("alone", { alone: this.#lives() === 1 });
  }
  /** Who runs an app instead; when. */
  async tell_next(contender: Contender): Promise<void> {
    await this.runs(contender);
    const life = this.contenders.lives().at(-1);
    tell("next", { node: contender.node, began_ms: this.#since_ms(life?.begin_ns ?? 0n) });
  }
  /** At the end of every scene. */
  tell_overlap(): void {
    tell("overlap", { overlap_ms: this.contenders.overlap_ms(), lives: this.#lives() });
  }

  #lives(): number {
    return this.contenders.lives().length;
  }
  #last_ms({ node }: Contender): number {
    const index = this.contenders.all.findIndex((one) => one.node === node);
    // The first life is that of who ran first.
    const life = this.contenders.lives()[index];
    return this.#since_ms(life?.last_ns ?? 0n);
  }
  #since_ms(at_ns: bigint): number {
    return Math.round(Number(at_ns - this.#fault_ns) / 1e6);
  }
}
