// Contenders for one volume under faults of all kinds at random moments, several at a time, as a seed decides; never two apps.
// Who has ended is started again, as an orchestrator does, whatever is still left of it.

import assert from "node:assert/strict";
import { readdirSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ChildProcess } from "node:child_process";
import { leasehold_folder } from "../../src/storage/identity.ts";
import { type Contender, Contenders } from "./contenders.ts";
import { type Etcd, etcd } from "./etcd.ts";
import { delete_keys, locked_by, revoke_lease } from "./etcd-operator.ts";
import { random_of } from "./faults.ts";
import { bindfs, mounts_folder } from "./file-systems.ts";
import { type Relay, relay } from "./relay.ts";
import { label } from "./volume.ts";

/**
 * file: the lock is on the volume. etcd: a server of its own, which fails too. twice: two servers that can't be told from each other, and
 * each contender is led now to the one and now to the other, so that the lock is granted twice, forgotten, and found again.
 */
export type MixedLock = "file" | "etcd" | "twice";

export type MixedOptions = { lock: MixedLock; seed: number; faults: number };

export type MixedTally = {
  /** How often each fault struck. */
  struck: Map<string, number>;
  tenures: number;
  gaps_ms: number[];
  /** At so many of our looks two contenders had the lock. */
  granted_twice: number;
};

const ttl_ms = 3000;
/** What an operator removes from the volume is survived one file at a time. */
const between_removals_ms = 3 * ttl_ms;
const key = "/mixed";

/** Where a contender lives: its own view of the volume, its own way to the lock service. */
type Place = { name: string; view: string; daemon: ChildProcess; way: Relay | null; contender?: Contender };

type Fault = (place: Place, run: MixedRun) => Promise<void> | void;

/** Each undoes what it has done before it resolves. */
const process_faults: Record<string, Fault> = {
  SIGTERM: ({ contender }) => contender?.signal("SIGTERM"),
  "kill -9 of the controller": ({ contender }) => kill(contender, "controller"),
  "kill -9 of outer": ({ contender }) => kill(contender, "outer"),
  "kill -9 of inner": ({ contender }) => kill(contender, "inner"),
  "kill -9 of the app": ({ contender }) => kill(contender, "app"),
  "all of it at once": ({ contender }) => contender?.vanish(),
  async "the controller stopped"({ contender }, run) {
    const pid = pid_of(contender, "controller");
    if (contender === undefined || pid === undefined) return;
    contender.signal("SIGSTOP", pid);
    await sleep(ttl_ms * run.between(0.3, 2));
    contender.signal("SIGCONT", pid);
  },
};

const volume_faults: Record<string, Fault> = {
  async "its volume hangs"({ daemon }, run) {
    daemon.kill("SIGSTOP");
    await sleep(ttl_ms * run.between(0.2, 2));
    daemon.kill("SIGCONT");
  },
  async "its volume is gone"({ view }, run) {
    if (!run.alone(view)) return;
    renameSync(view, `${view}.away`);
    await sleep(ttl_ms * run.between(0.2, 1.5));
    renameSync(`${view}.away`, view);
    run.done(view);
  },
  "a beat is removed": (_, run) => run.remove("beat"),
  "a claim is removed": (_, run) => run.remove("claim"),
};

const service_faults: Record<string, Fault> = {
  async "etcd stopped"(_, run) {
    await run.with_server(async (server) => {
      server.stop();
      await sleep(ttl_ms * run.between(0.2, 2));
      server.resume();
    });
  },
  async "etcd killed"(_, run) {
    await run.with_server(async (server) => {
      await server.members[0]?.kill();
      await sleep(ttl_ms * run.between(0.2, 1));
      server.members[0]?.start();
      await sleep(500);
    });
  },
  "the lock's key deleted": (_, run) => run.with_server((server) => delete_keys(server, `${key}/lock`)),
  "all keys deleted": (_, run) => run.with_server((server) => delete_keys(server, `${key}/`, "prefix")),
  "its lease revoked": (_, run) => run.with_server((server) => revoke_lease(server, `${key}/lock`)),
};

const twin_faults: Record<string, Fault> = {
  async "led to the other etcd"({ way, name }, run) {
    if (way === null || !run.alone(name)) return;
    await way.aim(run.random() < 0.5 ? run.port(0) : run.port(1));
    await way.cut();
    await way.mend();
    run.done(name);
  },
};

const faults_of: Record<MixedLock, Record<string, Fault>> = {
  file: { ...process_faults, ...volume_faults },
  etcd: { ...process_faults, ...volume_faults, ...service_faults },
  twice: {
    ...process_faults,
    ...twin_faults,
    "the lock's key deleted": service_faults["the lock's key deleted"] ?? (() => {}),
  },
};

type Role = "controller" | "outer" | "inner" | "app";

/** undefined: there is none at this moment. */
function pid_of(contender: Contender | undefined, role: Role): number | undefined {
  try {
    return contender?.ended === false ? contender[role] : undefined;
  } catch {
    return undefined;
  }
}
function kill(contender: Contender | undefined, role: Role): void {
  const pid = pid_of(contender, role);
  if (pid !== undefined) contender?.signal("SIGKILL", pid);
}

class MixedRun {
  readonly random: () => number;
  readonly struck = new Map<string, number>();
  readonly cast: Contenders;
  readonly #options: MixedOptions;
  readonly #places: readonly Place[];
  readonly #servers: readonly Etcd[];
  /** The volume itself, below the views. */
  readonly #under: string;
  readonly #busy = new Set<string>();
  readonly #arguments: readonly (readonly string[])[];
  granted_twice = 0;
  removals = 0;
  #removed_ms = -Infinity;
  #over = false;

  constructor(
    t: TestContext,
    options: MixedOptions,
    places: readonly Place[],
    servers: readonly Etcd[],
    under: string,
  ) {
    this.cast = new Contenders(t);
    this.random = random_of(options.seed);
    this.#options = options;
    this.#places = places;
    this.#servers = servers;
    this.#under = under;
    // All alike, or mixed, as while a configuration is rolled out.
    const modes = this.#pick([["stop"], ["hold"], ["stop", "hold"]]);
    this.#arguments = places.map((_, at) => [
      ...(options.lock === "file" ? [] : ["--on-outage", modes[at % modes.length] ?? "stop"]),
      ...(this.random() < 0.5 ? ["--on-loss", "standby"] : []),
    ]);
  }

  between(least: number, most: number): number {
    return least + this.random() * (most - least);
  }
  #pick<T>(all: readonly T[]): T {
    return all[Math.floor(this.random() * all.length)] as T;
  }
  port(at: number): number {
    return this.#servers[at]?.members[0]?.port ?? 0;
  }
  /** false: something is done to it already. */
  alone(what: string): boolean {
    if (this.#busy.has(what)) return false;
    this.#busy.add(what);
    return true;
  }
  done(what: string): void {
    this.#busy.delete(what);
  }
  async with_server(act: (server: Etcd) => Promise<void>): Promise<void> {
    const server = this.#pick(this.#servers);
    const name = String(this.#servers.indexOf(server));
    if (!this.alone(name)) return;
    await act(server);
    this.done(name);
  }
  /** By hand, on the volume itself. */
  remove(kind: "beat" | "claim"): void {
    const now_ms = performance.now();
    if (now_ms - this.#removed_ms < between_removals_ms) return;
    const folder = join(this.#under, leasehold_folder);
    const names = readdirSync(folder).filter((name) => name.endsWith(`.${kind}`));
    if (names.length === 0) return;
    this.#removed_ms = now_ms;
    this.removals++;
    rmSync(join(folder, this.#pick(names)), { force: true });
  }

  /** Mostly the one that runs the app: it has most to lose. */
  #victim(): Place {
    const holder = this.#places.find(({ contender }) => contender !== undefined && this.cast.runs(contender));
    return holder !== undefined && this.random() < 0.7 ? holder : this.#pick(this.#places);
  }

  async play(): Promise<void> {
    const kept = this.#places.map((place, at) => this.#keep(place, at));
    if (this.#options.lock === "twice") kept.push(this.#watch_grants());
    const under_way: Promise<void>[] = [];
    const faults = Object.entries(faults_of[this.#options.lock]);
    await this.#somebody_runs();
    for (let left = this.#options.faults; left > 0; left--) {
      await sleep(this.between(0, 1500));
      const [name, strike] = this.#pick(faults);
      this.struck.set(name, (this.struck.get(name) ?? 0) + 1);
      under_way.push(Promise.resolve(strike(this.#victim(), this)));
      // Most of the time the next one meets what this one has begun.
      if (this.random() < 0.4) await sleep(this.between(0.5, 1.5) * ttl_ms);
    }
    await Promise.all(under_way);
    // Nothing is wrong any more: somebody runs, and goes on running.
    await this.#somebody_runs();
    await sleep(ttl_ms / 2);
    await this.#somebody_runs();
    this.#over = true;
    await Promise.all(kept);
  }

  async #somebody_runs(): Promise<void> {
    await this.cast.holder();
  }

  async #keep(place: Place, at: number): Promise<void> {
    while (!this.#over) {
      if (place.contender === undefined || place.contender.ended) this.#start(place, at);
      await sleep(50 + 500 * (place.contender?.ended === true ? Math.random() : 0));
    }
  }
  async #watch_grants(): Promise<void> {
    while (!this.#over) {
      const all = await Promise.all(this.#servers.map((server) => locked_by(server, `${key}/lock`)));
      const holders = all.filter((instance) => instance !== null);
      if (new Set(holders).size > 1) this.granted_twice++;
      await sleep(20);
    }
  }
  #start(place: Place, at: number): void {
    const { lock } = this.#options;
    const { name, view, way } = place;
    const port = way?.port ?? this.port(0);
    place.contender = this.cast.start({
      lock: lock === "file" ? `file://${view}` : `etcd://127.0.0.1:${port}${key}`,
      node: name,
      stamper: ["ignore", "daemon"],
      args: [
        ...["--ttl", `${ttl_ms}ms`, "--drain", "200ms", "--stop-timeout", "500ms"],
        ...["--volume", `${view},probe=300ms/1s×2,view-age=100ms`],
        ...(this.#arguments[at] ?? []),
      ],
    });
  }
}

/** Fails with the seed, which replays the decisions; what the machine makes of them stays its own. */
export async function mixed_run(t: TestContext, options: MixedOptions): Promise<MixedTally> {
  const { lock, seed } = options;
  const folder = mounts_folder(t);
  const under = join(folder, "under");
  const servers: Etcd[] = [];
  for (let left = { file: 0, etcd: 1, twice: 2 }[lock]; left > 0; left--)
    servers.push(await etcd(t, lock === "twice" ? { twin: true } : {}));
  for (const server of servers) await server.ready();
  const places: Place[] = [];
  for (let at = 0; at < (seed % 3 === 0 ? 3 : 2); at++) {
    const { path, daemon } = await bindfs(t, folder, `v${at}`, under);
    // What is renamed is a link, so that the view can be gone while it is mounted.
    const view = join(folder, `view${at}`);
    symlinkSync(path, view);
    const port = servers[at % 2]?.members[0]?.port ?? 0;
    places.push({ name: `c${at}`, view, daemon, way: lock === "twice" ? await relay(t, port) : null });
  }
  label(under, ttl_ms);
  const run = new MixedRun(t, options, places, servers, under);
  const why = (what: string): string =>
    `${what}, LEASEHOLD_TEST_SEED=${seed}, ${[...run.struck.keys()].join(", ")}\n${run.cast.story()}`;
  await run.play().catch((error: unknown) => {
    throw new Error(why(String(error)));
  });
  assert.equal(run.cast.overlap_ms(), 0, why("two apps at one time"));
  const tokens = [...new Set(run.cast.lives().map(({ token }) => token))];
  // Who takes files away by hand may take the counter with them.
  if (run.removals === 0)
    assert.deepEqual(
      tokens,
      tokens.toSorted((a, b) => (a < b ? -1 : 1)),
      why("tokens go back"),
    );
  const { struck, granted_twice, cast } = run;
  return { struck, granted_twice, tenures: tokens.length, gaps_ms: cast.gaps_ms() };
}
