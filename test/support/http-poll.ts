// Asks an HTTP server again and again, each time over a connection of its own, and notes how long each answer took.

import { get } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

export class HttpPoll {
  readonly took_ms: number[] = [];
  failed = 0;
  #until_ms = Infinity;
  readonly #done: Promise<void>;

  constructor(url: string, every_ms: number) {
    this.#done = this.#poll(url, every_ms);
  }

  async end(): Promise<{ answers: number; failed: number; p99_ms: number; worst_ms: number }> {
    this.#until_ms = performance.now();
    await this.#done;
    const sorted = this.took_ms.toSorted((a, b) => a - b);
    const at = (share: number): number => sorted[Math.ceil(sorted.length * share) - 1] ?? 0;
    return { answers: sorted.length, failed: this.failed, p99_ms: at(0.99), worst_ms: at(1) };
  }

  async #poll(url: string, every_ms: number): Promise<void> {
    while (performance.now() < this.#until_ms) {
      const start = performance.now();
      if (await answered(url)) this.took_ms.push(performance.now() - start);
      else if (performance.now() < this.#until_ms) this.failed++;
      await sleep(every_ms);
    }
  }
}

function answered(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    get(url, { agent: false }, (response) => {
      response.resume().on("end", () => resolve(true));
    })
      .on("error", () => resolve(false))
      .setTimeout(10_000, function (this: { destroy(): void }) {
        this.destroy();
      });
  });
}
