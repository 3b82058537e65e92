// Somebody who uses the store: one write after the other, each tried until it is acknowledged.

import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

/** How long one answer is waited for. */
const patience_ms = 500;

export class Client {
  readonly #path: string;
  #stopped = false;
  #running: Promise<void> | undefined;
  #quiet_since_ms = performance.now();
  #longest_ms = 0;
  /** Writes that the store has said are safe: 1 to this. */
  acknowledged = 0;

  constructor(path: string) {
    this.#path = path;
  }
  start(): void {
    this.#quiet_since_ms = performance.now();
    this.#running = this.#run();
  }
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }
  /** The longest time without an acknowledged write since the last call. */
  longest_pause_ms(): number {
    const longest_ms = Math.max(this.#longest_ms, performance.now() - this.#quiet_since_ms);
    this.#longest_ms = 0;
    return longest_ms;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const socket = connect(this.#path);
      try {
        await this.#write_on(socket);
      } catch {
        await sleep(5); // nobody there, or no longer
      } finally {
        socket.destroy();
      }
    }
  }
  async #write_on(socket: Socket): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      socket.on("error", reject);
      socket.on("close", () => reject(new Error("closed")));
      socket.setTimeout(patience_ms, () => reject(new Error("silent")));
      const ask = (): unknown => socket.write(`set count ${this.acknowledged + 1}\n`);
      socket.on("connect", ask);
      createInterface(socket)
        .on("error", reject)
        .on("line", (line) => {
          if (!line.startsWith("ok ")) return;
          this.acknowledged++;
          const now_ms = performance.now();
          this.#longest_ms = Math.max(this.#longest_ms, now_ms - this.#quiet_since_ms);
          this.#quiet_since_ms = now_ms;
          if (this.#stopped) resolve();
          else setTimeout(ask, 1);
        });
    });
  }
}
