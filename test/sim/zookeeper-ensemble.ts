// Three servers, the network between them, and what can go wrong with both.

import type { ServiceFaults } from "./faults.ts";
import { Pipe } from "./pipe.ts";
import { Clock, type World } from "./world.ts";
import type { Txn } from "./zookeeper-tree.ts";
import { nodes_at } from "../../src/lock/zookeeper/nodes.ts";
import { Server } from "./zookeeper-server.ts";

export const path = "/sim";
const { lock } = nodes_at(path);

export class Ensemble {
  readonly servers: Server[];
  readonly tick_ns: bigint;
  /** syncLimit ticks: how long a follower waits for its leader, and a leader for a majority. */
  readonly patience_ns: bigint;
  on_expiry: () => void = () => {};
  /** By which session, at once when it is agreed on. */
  on_taken: (session: bigint) => void = () => {};
  #newest = 0n;
  /** The PING thread does nothing, for one reason or another. */
  ping_stalls = 0;
  /** Messages are late. */
  slow = 0;
  readonly #world: World;
  readonly #granted: number;
  readonly #expirer_most_ms: number;
  #sessions = 0n;

  /** gentle: it grants what is asked for. */
  constructor(world: World, gentle: boolean) {
    const { random } = world;
    this.#world = world;
    const tick_ms = random.pick([400, 1000, 2000]);
    this.tick_ns = BigInt(tick_ms * 1e6);
    this.patience_ns = random.pick([5n, 15n]) * this.tick_ns;
    this.#granted = !gentle && random.chance(0.2) ? 0.94 : 1;
    this.#expirer_most_ms = random.pick([3, 240, 240]);
    const clock = (): Clock =>
      new Clock(world, random.between(-4e-4, 4e-4), BigInt(random.integer(1e9)) * 1_000n);
    this.servers = ["z0", "z1", "z2"].map((name) => new Server(this, name, clock()));
    const [first, ...others] = this.servers;
    if (!first) return;
    first.lead(1n);
    for (const other of others) other.follow(first);
  }

  /** What a server learns to be agreed on, and whether a client asked for it. The first to learn it counts. */
  agreed({ zxid, nodes, session }: Txn, asked: boolean): void {
    if (zxid <= this.#newest) return;
    this.#newest = zxid;
    const made = nodes.get(lock);
    if (made?.stat.czxid === zxid) this.on_taken(made.stat.ephemeral_owner);
    if (!asked && session?.timeout_ms === null && nodes.has(lock)) this.on_expiry();
  }
  negotiate(asked_ms: number): number {
    return Math.floor(asked_ms * this.#granted);
  }
  new_session(): bigint {
    return ++this.#sessions;
  }
  /** From the moment at which a session is picked to its end. */
  expirer_late_ms(): number {
    return this.#world.random.between(0, this.#expirer_most_ms);
  }
  /** From one server to another. */
  pipe(from: Server, to: Server): Pipe {
    const { random } = this.#world;
    return new Pipe(this.#world, {
      to: to.clock,
      delay_ms: () =>
        random.between(0.1, 1) + (this.slow > 0 && random.chance(0.2) ? random.between(0, 300) : 0),
      blocked: () => from.cut > 0 || to.cut > 0,
      quiet: true,
    });
  }
  get leader(): Server | undefined {
    const leaders = this.servers.filter(({ role, up }) => up && role.is === "leading");
    return leaders.toSorted((a, b) => Number(b.epoch - a.epoch))[0];
  }

  /** Until it has found a leader, or been elected. */
  look(server: Server): void {
    const again = (): void => {
      if (!server.up || server.role.is !== "looking") return;
      this.#find(server);
      this.look(server);
    };
    server.clock.after(this.#world.random.between(200, 700), again, true);
  }
  #find(server: Server): void {
    const reached = (other: Server): boolean => other.up && other.stopped === 0 && other.cut === 0;
    if (!reached(server)) return;
    const { leader } = this;
    if (leader && reached(leader) && leader.epoch >= server.epoch) return server.follow(leader);
    const voters = this.servers.filter((other) => reached(other) && other.role.is === "looking");
    if (voters.length < 2) return;
    const [best, ...others] = voters.toSorted((a, b) => Number(last_zxid(b) - last_zxid(a)));
    const epoch = voters.reduce((most, voter) => (voter.epoch > most ? voter.epoch : most), 0n);
    best?.lead(epoch + 1n);
    for (const other of others) if (best) other.follow(best);
  }

  /** The lock's, agreed on or not. */
  get token(): bigint {
    const role = this.leader?.role;
    return (role?.is === "leading" ? role.head.nodes.get(lock)?.stat.czxid : null) ?? 0n;
  }
  /** The session that has the lock. */
  get owner(): bigint | undefined {
    return this.leader?.tree.nodes.get(lock)?.stat.ephemeral_owner;
  }
  /** Mostly the one that the lock's holder is connected to. */
  #somebody(): Server {
    const { random } = this.#world;
    const { owner } = this;
    const its = this.servers.find(({ ends }) => [...ends].some(({ session }) => session === owner));
    return its && random.chance(0.5) ? its : random.pick(this.servers);
  }
  /** kill -9, and started again. */
  #kill(server: Server, for_ms: number): void {
    if (!server.up) return;
    server.up = false;
    server.leave();
    for (const other of this.servers) {
      const hear = (): void => {
        const { role } = other;
        if (role.is === "following" && role.leader === server) other.leave();
        if (role.is === "leading") role.followers.delete(server);
      };
      this.#world.after(1, () => other.clock.run(hear), true);
    }
    const start = (): void => {
      server.up = true;
      this.look(server);
    };
    this.#world.after(for_ms, start, true);
  }
  #stop(server: Server, for_ms: number): void {
    server.stopped++;
    server.clock.stop();
    const go_on = (): void => {
      server.stopped--;
      server.clock.go_on();
    };
    this.#world.after(for_ms, go_on, true);
  }
  #cut(server: Server, for_ms: number): void {
    server.cut++;
    this.#world.after(for_ms, () => server.cut--, true);
  }

  readonly faults: ServiceFaults = {
    // Its election is a part of it.
    "service-down": (for_ms) => {
      for (const server of this.servers) this.#kill(server, Math.max(for_ms - 1000, for_ms / 2));
    },
    "service-stalls": (for_ms) => {
      for (const server of this.servers) this.#stop(server, for_ms);
    },
    "leader-change": (for_ms) => this.leader && this.#kill(this.leader, for_ms),
    "member-down": (for_ms) => this.#kill(this.#somebody(), for_ms),
    "member-cut-off": (for_ms) => this.#cut(this.#somebody(), for_ms),
    "member-stalls": (for_ms) => this.#stop(this.#somebody(), for_ms),
    // At most for as long as its followers bear it: then it leads on, with all that has queued up in it.
    "leader-stalls": (for_ms) => {
      const bearable_ms = 0.95 * (Number(this.patience_ns) / 1e6);
      if (this.leader) this.#stop(this.leader, Math.min(for_ms, bearable_ms));
    },
    // Long enough for a round of each contender. An overloaded leader often has both; until its PING thread goes on, nothing
    // that followers heard of counts.
    "delayed-requests": (for_ms) => {
      const most_ms = Math.max(for_ms, 6000);
      this.slow++;
      this.#world.after(most_ms, () => this.slow--, true);
      if (this.#world.random.chance(0.6)) this.faults["ping-thread-stalls"]?.(most_ms + 20_000);
    },
    "ping-thread-stalls": (for_ms) => {
      this.ping_stalls++;
      this.#world.after(for_ms, () => this.ping_stalls--, true);
    },
  };
}

function last_zxid({ tail, tree }: Server): bigint {
  return tail.at(-1)?.txn.zxid ?? tree.zxid;
}
