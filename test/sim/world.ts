// Virtual time, and randomness from a seed. Everything in the simulation happens as an event of this world; between two events
// all promises settle. The same seed gives the same run.

import type { Time } from "../../src/core/time.ts";

type Scheduled = { at_ns: bigint; order: number; run: () => void; quiet: boolean; cancelled: boolean };

export class World {
  now_ns = 0n;
  readonly random: Random;
  readonly #queue: Scheduled[] = [];
  #order = 0;

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  /** Runs something delay_ms from now. Returns what takes it back. quiet: it settles no promise, and concerns no app. */
  after(delay_ms: number, run: () => void, quiet = false): () => void {
    const delay_ns = BigInt(Math.ceil(Math.max(0, delay_ms) * 1e6));
    const scheduled = { at_ns: this.now_ns + delay_ns, order: this.#order++, run, quiet, cancelled: false };
    this.#insert(scheduled);
    return () => (scheduled.cancelled = true);
  }

  /** Until this time, or until check() says what went wrong. */
  run(until_ms: number, check: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      // From the event loop: called while a promise settles, settle() would do nothing.
      setImmediate(() => {
        try {
          this.#run(until_ms, check);
          resolve();
        } catch (error) {
          reject(error);
        }
      });
    });
  }
  #run(until_ms: number, check: () => void): void {
    const until_ns = BigInt(Math.round(until_ms * 1e6));
    settle();
    for (let next = this.#pop(until_ns); next; next = this.#pop(until_ns)) {
      this.now_ns = next.at_ns;
      next.run();
      if (next.quiet) continue;
      settle();
      check();
    }
    this.now_ns = until_ns;
  }

  // A binary heap, earliest first.
  #insert(one: Scheduled): void {
    const queue = this.#queue;
    let at = queue.push(one) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const other = queue[parent];
      if (!other || !before(one, other)) break;
      queue[at] = other;
      at = parent;
    }
    queue[at] = one;
  }
  #pop(until_ns: bigint): Scheduled | undefined {
    for (let first = this.#queue[0]; first && first.at_ns <= until_ns; first = this.#queue[0]) {
      this.#remove_first();
      if (!first.cancelled) return first;
    }
    return undefined;
  }
  #remove_first(): void {
    const queue = this.#queue;
    const last = queue.pop();
    if (!last || queue.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const [left, right] = [queue[child], queue[child + 1]];
      if (!left) break;
      if (right && before(right, left)) child++;
      const smaller = queue[child];
      if (!smaller || !before(smaller, last)) break;
      queue[at] = smaller;
      at = child;
    }
    queue[at] = last;
  }
}

function before(a: Scheduled, b: Scheduled): boolean {
  return a.at_ns < b.at_ns || (a.at_ns === b.at_ns && a.order < b.order);
}

/**
 * All promises that can settle without an event have settled. What Node itself calls at the end of each callback; a turn of its event
 * loop, which does the same, takes as long as all the rest of the simulation. Deprecated in name only (DEP0134).
 */
function settle(): void {
  (process as unknown as { _tickCallback: () => void })._tickCallback();
}

/** xoshiro128**, seeded by splitmix32. */
export class Random {
  readonly #state: Uint32Array;

  constructor(seed: number) {
    let x = seed >>> 0;
    this.#state = Uint32Array.from({ length: 4 }, () => {
      x = (x + 0x9e3779b9) >>> 0;
      let z = x;
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      return (z ^ (z >>> 15)) >>> 0;
    });
  }
  /** In [0, 1). */
  next(): number {
    const s = this.#state;
    const [a = 0, b = 0, c = 0, d = 0] = s;
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const c1 = c ^ a;
    const d1 = d ^ b;
    s[1] = b ^ c1;
    s[0] = a ^ d1;
    s[2] = c1 ^ (b << 9);
    s[3] = rotate(d1, 11);
    return result / 2 ** 32;
  }
  between(low: number, high: number): number {
    return low + (high - low) * this.next();
  }
  integer(below: number): number {
    return Math.floor(this.next() * below);
  }
  chance(probability: number): boolean {
    return this.next() < probability;
  }
  pick<T>(from: readonly T[]): T {
    const one = from[this.integer(from.length)];
    if (one === undefined) throw new Error("nothing to pick from");
    return one;
  }
}

function rotate(x: number, by: number): number {
  return (x << by) | (x >>> (32 - by));
}

/**
 * A machine's CLOCK_BOOTTIME, which runs at its own rate, and what of it doesn't run for a while: a stopped process, a
 * frozen machine. What would have happened meanwhile happens, in its order, when it goes on.
 */
export class Clock implements Time {
  readonly #world: World;
  readonly #rate: number;
  readonly #offset_ns: bigint;
  #stopped = 0;
  #dead = false;
  readonly #missed: (() => void)[] = [];

  constructor(world: World, rate: number, offset_ns: bigint) {
    this.#world = world;
    this.#rate = rate;
    this.#offset_ns = offset_ns;
  }
  /** Another process of the same machine. */
  sibling(): Clock {
    return new Clock(this.#world, this.#rate, this.#offset_ns);
  }

  now_ns(): bigint {
    return this.#offset_ns + this.#world.now_ns + BigInt(Math.floor(Number(this.#world.now_ns) * this.#rate));
  }
  after(delay_ms: number, run: () => void, quiet = false): () => void {
    return this.#world.after(delay_ms / (1 + this.#rate), () => this.run(run), quiet);
  }
  /** Now, or when it goes on; never, when it is dead. */
  run(what: () => void): void {
    if (this.#dead) return;
    if (this.#stopped > 0) this.#missed.push(what);
    else what();
  }
  stop(): void {
    this.#stopped++;
  }
  /** Each by itself: what follows from one at once, comes before the next. */
  go_on(): void {
    if (--this.#stopped > 0) return;
    for (const missed of this.#missed.splice(0)) this.#world.after(0, () => this.run(missed));
  }
  die(): void {
    this.#dead = true;
    this.#missed.length = 0;
  }
  get dead(): boolean {
    return this.#dead;
  }
}
