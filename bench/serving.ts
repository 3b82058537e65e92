// A database server in the foreground, by itself or under leasehold, and the folder that it works in.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, chmodSync, closeSync, mkdtempSync, openSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { at_end } from "../test/support/at-end.ts";
import { as_user, type Database, type Store } from "../test/support/databases.ts";

const guard = join(import.meta.dirname, "../dist/leasehold");

/** A folder that goes, with every server in it that still runs, also when this process is killed. */
export function workplace(parent: string): { folder: string; remove: () => Promise<void> } {
  const folder = mkdtempSync(join(parent, "leasehold-throughput-"));
  chmodSync(folder, 0o777);
  const script = `
    for pid in $(cat "$1/pids"); do
      case $(readlink "/proc/$pid/cwd") in "$1"*) kill -9 "$pid" ;; esac
    done
    sleep 0.5; rm -rf -- "$1"`;
  return { folder, remove: at_end(script, folder) };
}

export type ServingOptions = {
  database: Database;
  store: Store;
  settings: readonly string[];
  folder: string;
  /** leasehold's options; null: without it. */
  under: readonly string[] | null;
};

export class Serving {
  readonly #child: ChildProcess;
  readonly #options: ServingOptions;
  readonly #exit: Promise<unknown>;

  /** Resolves when it serves. */
  static async start(options: ServingOptions): Promise<Serving> {
    const serving = new Serving(options);
    try {
      await serving.#ready();
      return serving;
    } catch (error) {
      serving.#child.kill("SIGKILL");
      throw error;
    }
  }
  private constructor(options: ServingOptions) {
    const { database, store, settings, folder, under } = options;
    const server = [...as_user(database.user), ...store.command, ...settings];
    const leasehold = [guard, "run", ...(under ?? []), "--stop-signal", database.stop_signal, "--"];
    const [program = "", ...args] = [...(under === null ? [] : leasehold), ...server];
    const log = openSync(join(folder, "log"), "a");
    this.#options = options;
    this.#child = spawn(program, args, { stdio: ["ignore", log, log], cwd: folder });
    closeSync(log);
    this.#exit = once(this.#child, "exit");
    appendFileSync(join(folder, "pids"), `${this.#child.pid ?? ""}\n`);
  }

  /** As a service manager does. */
  async stop(): Promise<void> {
    const { database, under } = this.#options;
    this.#child.kill(under === null ? database.stop_signal : "SIGTERM");
    await this.#exit;
  }

  async #ready(): Promise<void> {
    const { database, store } = this.#options;
    for (const end = performance.now() + 60_000; performance.now() < end; await sleep(50)) {
      if (this.#child.exitCode !== null)
        throw new Error(`${database.name} ended with ${this.#child.exitCode}`);
      if (store.ready()) return;
    }
    throw new Error(`${database.name} did not serve within 60 s`);
  }
}
