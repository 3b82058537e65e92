// Two contenders for one data directory, and its holder killed again and again while clients write: in every way that a
// process of it may die. Whoever was killed is started again at once, as an orchestrator would.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Contender, Contenders, stamper, until } from "./contenders.ts";
import { compare, Writers } from "./database-writers.ts";
import { as_user, type Database, type Store } from "./databases.ts";
import { random_of } from "./faults.ts";

/** In turn. code: what leasehold ends with; null: its outer process was killed itself. */
const victims = [
  { victim: "controller", code: 70 },
  { victim: "outer", code: null },
  { victim: "inner", code: 70 },
  { victim: "app", code: 137 },
  { victim: "SIGTERM", code: 0 },
] as const;
type Victim = (typeof victims)[number]["victim"];

/**
 * interruption_ms: the longest time between two acknowledgements, from the last one before the kill until service is back.
 * gap_ms: from the old app's last sign of life to the new one's first; what the new server does to recover is not in it.
 */
type Kill = { victim: Victim; interruption_ms: number; gap_ms: number };
export type Outcome = {
  kills: readonly Kill[];
  acknowledged: number;
  /** Acknowledged, and not there afterwards. */
  lost: readonly number[];
  /** Stored, although nobody was told so. */
  untold: number;
};

export type CampaignOptions = {
  database: Database;
  /** Its URL. */
  lock: string;
  kills: number;
  seed: number;
  /** More options of `leasehold run`. */
  args?: readonly string[];
};

/**
 * The app: notes who else is at the data directory as it starts, has a stamper live beside the server, and becomes the
 * server. So tenures are watched in two ways: no two stampers live at one time, and no server finds a process of another.
 */
const script = `
  data=$1 folder=$2 stamper=$3; shift 3
  find /proc -mindepth 2 -maxdepth 2 -name cwd -lname "$data*" 2>/dev/null >>"$folder/others"
  exec >>"$folder/log" 2>&1
  "$stamper" "$folder" &
  exec "$@"`;

/** Kills, and checks all that has to hold but the numbers, which are the outcome. */
export async function campaign(t: TestContext, options: CampaignOptions): Promise<Outcome> {
  const cast = new Contenders(t);
  const store = await options.database.create(cast.folder);
  const writers = new Writers(store.protocol, 4);
  t.after(() => writers.stop());
  return new Campaign(cast, store, writers, options).run();
}

class Campaign {
  readonly #cast: Contenders;
  readonly #store: Store;
  readonly #writers: Writers;
  readonly #options: CampaignOptions;

  constructor(cast: Contenders, store: Store, writers: Writers, options: CampaignOptions) {
    this.#cast = cast;
    this.#store = store;
    this.#writers = writers;
    this.#options = options;
  }

  async run(): Promise<Outcome> {
    const random = random_of(this.#options.seed);
    const kills: Omit<Kill, "gap_ms">[] = [];
    this.#start();
    this.#start();
    let holder = await this.#cast.holder();
    while (kills.length < this.#options.kills) {
      await this.#service(performance.now());
      await until(() => this.#waits(holder), "somebody who waits", this.#story);
      await sleep(200 + random() * 1300);
      const { victim, code } = victims[kills.length % victims.length] ?? victims[0];
      const which = `kill ${kills.length + 1}, ${victim}`;
      assert.ok(this.#cast.runs(holder), `before ${which}: nobody ran\n${this.#story()}`);
      const from_ms = performance.now();
      strike(holder, victim);
      assert.equal(await holder.exited(), code, `${which}\n${this.#story()}`);
      this.#start();
      holder = await this.#cast.holder(holder);
      // Given back by what was left of the victim, once all of the app was dead; not left to the lease's end.
      const { message } = await holder.line(/^took the lock/);
      assert.match(message, /its end is clean/, `${which}\n${this.#story()}`);
      const to_ms = await this.#service(performance.now());
      kills.push({ victim, interruption_ms: this.#writers.longest_gap_ms(from_ms, to_ms) });
    }
    await this.#writers.stop();
    const numbers = this.#store.stored();
    await this.#stop(holder);
    this.#store.check();
    this.#check_tenures();
    const gaps_ms = this.#cast.gaps_ms();
    const all = kills.map((kill, index) => ({ ...kill, gap_ms: gaps_ms[index] ?? Number.NaN }));
    return { kills: all, ...compare(this.#writers, numbers) };
  }

  #start(): void {
    const { database, lock, args = [] } = this.#options;
    const { folder } = this.#cast;
    const server = [...as_user(database.user), ...this.#store.command];
    this.#cast.start({
      lock,
      args: ["--stop-signal", database.stop_signal, ...args],
      app: ["/bin/sh", "-c", script, "sh", this.#store.data, folder, stamper, ...server],
    });
  }

  /** When a write after that instant was acknowledged. */
  #service(after_ms: number): Promise<number> {
    return until(
      () => {
        const last_ms = this.#writers.acknowledged.at(-1)?.at_ms ?? 0;
        return last_ms > after_ms && last_ms;
      },
      "an acknowledged write",
      this.#story,
    );
  }

  #waits(holder: Contender): boolean {
    return this.#cast.all.some(
      (one) => one !== holder && !one.ended && (one.lines().at(-1)?.message.startsWith("waiting: ") ?? false),
    );
  }

  /** The one that waits first, so that nobody starts any more. */
  async #stop(holder: Contender): Promise<void> {
    const left = this.#cast.all.filter((one) => !one.ended && one !== holder);
    assert.equal(left.length, 1, `only the victims have ended\n${this.#story()}`);
    for (const one of [...left, holder]) {
      one.signal("SIGTERM");
      const code = await one.exited();
      if (one === holder) assert.equal(code, 0, this.#story());
    }
  }

  #check_tenures(): void {
    const { folder } = this.#cast;
    const lives = this.#cast.lives();
    assert.equal(lives.length, this.#options.kills + 1, `one start for each tenure\n${this.#story()}`);
    assert.equal(this.#cast.overlap_ms(), 0, `two tenures' apps lived at one time\n${this.#story()}`);
    const others = readFileSync(join(folder, "others"), "utf8");
    assert.equal(others, "", `a server found others' processes at its data: ${others}\n${this.#story()}`);
  }

  readonly #story = (): string => {
    const log = join(this.#cast.folder, "log");
    const own = existsSync(log) ? readFileSync(log, "utf8").split("\n").slice(-40) : [];
    return [this.#cast.story(), `${this.#options.database.name}:`, ...own].join("\n");
  };
}

function strike(holder: Contender, victim: Victim): void {
  if (victim === "SIGTERM") {
    holder.signal("SIGTERM");
    return;
  }
  const pid = holder[victim];
  assert.ok(pid !== undefined, `${victim} is not there`);
  holder.signal("SIGKILL", pid);
}

/** One line for each way to die. */
export function figures({ kills, acknowledged, lost, untold }: Outcome): string[] {
  const spread = (values: readonly number[]): string => {
    const sorted = values.toSorted((a, b) => a - b);
    const [median_ms = 0, worst_ms = 0] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted.at(-1)];
    return `${median_ms.toFixed(0)} ms median, ${worst_ms.toFixed(0)} ms worst`;
  };
  const row = (what: string, all: readonly Kill[]): string =>
    [
      `${what}: ${all.length}`,
      `no write acknowledged for ${spread(all.map(({ interruption_ms }) => interruption_ms))}`,
      `from app to app ${spread(all.map(({ gap_ms }) => gap_ms))}`,
    ].join("; ");
  const each = victims.map(({ victim }) => kills.filter((kill) => kill.victim === victim));
  return [
    `${acknowledged} writes acknowledged, ${lost.length} lost, ${untold} stored without an answer`,
    row("kills", kills),
    ...each.filter(([first]) => first).map((all) => row(`of ${all[0]?.victim ?? ""}`, all)),
  ];
}
