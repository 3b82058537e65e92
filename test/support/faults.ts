// Contenders for one lock, on links of their own, and one fault after the other while they run: for any backend.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Contender, type ContenderOptions, Contenders, until } from "./contenders.ts";

/** What lies between one contender and one server. */
export type Way = { port: number };

export type StageOptions<W extends Way> = {
  /** The servers' ports on 127.0.0.1. */
  ports: readonly number[];
  /** The lock's URL, by these ports. */
  url: (ports: readonly number[]) => string;
  /** Between each contender and each server; default: nothing. */
  way?: (t: TestContext, port: number) => Promise<W>;
  contenders?: number;
  ttl_ms?: number;
  /** More options of `leasehold run`, by the contender's number. */
  args?: (index: number) => readonly string[];
  /** Of each contender: its environment, its guard. */
  more?: Pick<ContenderOptions, "env" | "guard">;
};

/** A place for a contender. When one has ended, another follows on the same ways. */
export class Slot<W extends Way = Way> {
  readonly name: string;
  readonly ways: readonly W[];
  contender!: Contender;
  born = 0;
  constructor(name: string, ways: readonly W[]) {
    this.name = name;
    this.ways = ways;
  }
}

export class Stage<W extends Way = Way> {
  readonly cast: Contenders;
  readonly slots: readonly Slot<W>[];
  readonly ttl_ms: number;
  readonly #options: StageOptions<W>;

  static async open<W extends Way = Way>(t: TestContext, options: StageOptions<W>): Promise<Stage<W>> {
    const { way, contenders = 2 } = options;
    const slots: Slot<W>[] = [];
    for (let index = 0; index < contenders; index++) {
      const ways: W[] = [];
      if (way) for (const port of options.ports) ways.push(await way(t, port));
      slots.push(new Slot(`c${index}`, ways));
    }
    return new Stage(t, slots, options);
  }
  private constructor(t: TestContext, slots: readonly Slot<W>[], options: StageOptions<W>) {
    this.cast = new Contenders(t);
    this.slots = slots;
    this.ttl_ms = options.ttl_ms ?? 10_000;
    this.#options = options;
  }

  /** Whoever has ended is followed by another. One holds the lock, and its app runs; all others wait. */
  async fill(): Promise<{ holder: Slot<W>; others: Slot<W>[] }> {
    // Notes of the lock's come between; what the core says has its state with it.
    const waits = ({ contender }: Slot<W>): boolean =>
      contender
        .lines()
        .findLast(({ state }) => state !== undefined)
        ?.message.startsWith("waiting: ") === true;
    return until(
      () => {
        for (const [index, slot] of this.slots.entries())
          if (slot.born === 0 || slot.contender.ended) this.#start(slot, index);
        const holder = this.slots.find(({ contender }) => this.cast.runs(contender));
        const others = this.slots.filter((slot) => slot !== holder);
        return holder !== undefined && others.every(waits) && { holder, others };
      },
      "a holder, and all others waiting",
      () => this.story(),
    );
  }

  /** Whose app runs; waits until one does. but: not that contender's; app: not that process. */
  async running(but?: Contender, app?: number): Promise<Slot<W>> {
    const is = ({ contender }: Slot<W>): boolean =>
      contender !== but && this.cast.runs(contender) && (app === undefined || contender.app !== app);
    return until(
      () => this.slots.find(is),
      "an app's start",
      () => this.story(),
    );
  }

  /** The contenders of now, for a failed test's message. */
  story(): string {
    return this.slots.map(({ contender }) => contender.story()).join("\n");
  }

  #start(slot: Slot<W>, index: number): void {
    const { ports, url, args, more = {} } = this.#options;
    const lock = url(slot.ways.length > 0 ? slot.ways.map(({ port }) => port) : ports);
    slot.born++;
    slot.contender = this.cast.start({
      lock,
      node: `${slot.name}.${slot.born}`,
      stamper: ["ignore", "daemon"],
      args: ["--ttl", `${this.ttl_ms}ms`, "--stop-timeout", "1s", ...(args?.(index) ?? [])],
      ...more,
    });
  }
}

export type Scene<W extends Way = Way> = {
  stage: Stage<W>;
  holder: Slot<W>;
  others: readonly Slot<W>[];
  /** 0 ≤ number < 1. */
  random: () => number;
};

/** What becomes of the app: another one follows, it goes on untouched, or either. */
type Outcome = "another" | "untouched" | "somebody";

export type Fault<W extends Way = Way> = {
  name: string;
  outcome: Outcome;
  /** Does it, at a random moment of its own, waits for as long as it is to last, and undoes it. */
  strike: (scene: Scene<W>) => Promise<void>;
};

export type Tally = {
  runs: number;
  untouched: number;
  overlap_ms: number;
  gaps_ms: number[];
  /** Of runs after which the next app came later than the fault explains: more than a lease and a second. */
  slow: string[];
};

/** The fault so many times, each at a random moment; what has to hold is checked after each. */
export async function strike<W extends Way>(
  stage: Stage<W>,
  { name, outcome, strike: go }: Fault<W>,
  times: number,
  random: () => number,
): Promise<Tally> {
  const tally: Tally = { runs: 0, untouched: 0, overlap_ms: 0, gaps_ms: [], slow: [] };
  for (let run = 1; run <= times; run++) {
    const { holder, others } = await stage.fill();
    const { contender } = holder;
    const { app } = contender;
    await sleep(random() * 2000);
    await go({ stage, holder, others, random });
    const after = await stage.running(undefined, outcome === "another" ? app : undefined);
    const untouched = after.contender === contender && contender.app === app;
    if (outcome === "untouched")
      assert.ok(untouched, `${name}, run ${run}: the app did not go on\n${stage.story()}`);
    tally.runs = run;
    tally.untouched += untouched ? 1 : 0;
    tally.overlap_ms = stage.cast.overlap_ms();
    const gap_ms = untouched ? 0 : (stage.cast.gaps_ms().at(-1) ?? 0);
    if (outcome === "another" && gap_ms > stage.ttl_ms + 1000)
      tally.slow.push(`${gap_ms} ms without an app\n${stage.story()}`);
    assert.equal(tally.overlap_ms, 0, `${name}, run ${run}: two apps at one time\n${stage.story()}`);
  }
  tally.gaps_ms = stage.cast.gaps_ms();
  return tally;
}

/** mulberry32: 0 ≤ number < 1. */
export function random_of(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

// ---- faults of processes: the same for every lock service ----

const kill = (role: "controller" | "outer" | "inner" | "app"): Fault => ({
  name: `kill -9 of ${role}`,
  outcome: "another",
  async strike({ stage, holder: { contender } }) {
    const pid = contender[role];
    assert.ok(pid !== undefined);
    contender.signal("SIGKILL", pid);
    await contender.exited();
    const next = await stage.running(contender);
    // The log comes a little after the deed.
    await next.contender.line(new RegExp(`the app runs, process ${next.contender.app}$`));
    const took = next.contender.lines().findLast(({ message }) => message.startsWith("took the lock"));
    assert.match(took?.message ?? "", /its end is clean$/, `it was not given back\n${stage.story()}`);
  },
});

export const process_faults: readonly Fault[] = [
  {
    name: "SIGTERM",
    outcome: "another",
    // The stamper ignores it: it is killed when its time to stop is over.
    async strike({ holder: { contender } }) {
      contender.signal("SIGTERM");
      await contender.exited();
    },
  },
  kill("controller"),
  kill("outer"),
  kill("inner"),
  kill("app"),
  {
    name: "the controller is stopped for longer than the lease, and goes on when another runs",
    outcome: "another",
    async strike({ stage, holder: { contender } }) {
      const { controller } = contender;
      contender.signal("SIGSTOP", controller);
      const next = await stage.running(contender);
      contender.signal("SIGCONT", controller);
      await until(
        () => contender.ended || /^(contending again|waiting)/.test(contender.lines().at(-1)?.message ?? ""),
        "what the stopped one does then",
        () => stage.story(),
      );
      assert.ok(!next.contender.ended, stage.story());
    },
  },
  {
    name: "everything of the holder vanishes",
    outcome: "another",
    async strike({ stage, holder: { contender } }) {
      contender.vanish();
      await contender.exited();
      await stage.running(contender);
      // Its app had not been stopped, so its last proof was younger than three quarters of the lease.
      const gap_ms = stage.cast.gaps_ms().at(-1) ?? 0;
      assert.ok(gap_ms > stage.ttl_ms / 4, `another began after ${gap_ms} ms\n${stage.story()}`);
    },
  },
];
