// One of three ZooKeeper servers, as 3.8's sources have it (lease-semantics.md names the places). What it knows of the others
// may be old: a follower that is cut off answers reads and pings until it notices, and so does a leader, which commits
// nothing meanwhile. Sessions end at the leader only.

import type { ZooKeeperOperation } from "../../src/lock/zookeeper/api.ts";
import type { End, Request } from "./zookeeper-end.ts";
import type { Ensemble } from "./zookeeper-ensemble.ts";
import { multi, Tree, type Txn } from "./zookeeper-tree.ts";
import type { Following, From, Leading, Proposal, Role } from "./zookeeper-roles.ts";
import { Tracker } from "./zookeeper-tracker.ts";
import type { Clock } from "./world.ts";

export class Server {
  readonly name: string;
  readonly clock: Clock;
  readonly ends = new Set<End>();
  tree = new Tree();
  /** Logged, and not known to be agreed on. */
  tail: Proposal[] = [];
  role: Role = { is: "looking" };
  epoch = 0n;
  /** Its process is there, though it may be stopped. */
  up = true;
  stopped = 0;
  /** From the other servers, not from clients. */
  cut = 0;
  readonly #ensemble: Ensemble;
  readonly #watches = { changes: new Map<string, Set<End>>(), end: new Map<string, Set<End>>() };

  constructor(ensemble: Ensemble, name: string, clock: Clock) {
    this.#ensemble = ensemble;
    this.name = name;
    this.clock = clock;
  }

  // ---- clients ----

  /** A ConnectRequest. */
  greet(end: End, session: bigint | null, timeout_ms: number): void {
    const { role } = this;
    if (!end.open || role.is === "looking") return end.close();
    this.ends.add(end);
    end.timeout_ms = this.#ensemble.negotiate(timeout_ms);
    if (session === null) {
      end.session = this.#ensemble.new_session();
      return this.#submit(role, { end, asked: { request: { begin_ms: end.timeout_ms } } });
    }
    // As a client's old connection on this server ends when it comes again.
    for (const old of this.ends) if (old.session === session && old !== end) old.close();
    end.session = session;
    if (role.is === "leading") return this.#greeted(end, this.#revalidate(role, this, end));
    const { leader, of, to_leader } = role;
    role.revalidating.set(session, end);
    to_leader.send(() => {
      if (leader.role !== of) return;
      const valid = leader.#revalidate(of, this, end);
      of.followers.get(this)?.pipe.send(() => {
        const asking = role.revalidating.get(session);
        role.revalidating.delete(session);
        if (this.role === role && asking) this.#greeted(asking, valid);
      });
    });
  }
  /** At the leader, and at once. */
  #revalidate(role: Leading, owner: Server, { session, timeout_ms }: End): boolean {
    const tracked = role.tracker.find(session);
    if (!tracked) return false;
    tracked.owner = owner;
    role.tracker.touch(session, timeout_ms);
    return true;
  }
  #greeted(end: End, valid: boolean): void {
    if (!end.open) return;
    end.back.send(() => end.client.connected(end.session, valid ? end.timeout_ms : 0));
    if (!valid) end.close();
  }

  receive(end: End, request: Request): void {
    const { role } = this;
    if (!end.open || role.is === "looking") return end.close();
    this.#heard_of(role, end);
    const asked = { request };
    end.asked.push(asked);
    if (!("read" in request)) this.#submit(role, { end, asked });
    end.pump();
  }
  ping(end: End): void {
    if (!end.open || this.role.is === "looking") return end.close();
    this.#heard_of(this.role, end);
    end.back.send(() => end.client.alive());
  }
  #heard_of(role: Leading | Following, { session, timeout_ms }: End): void {
    if (role.is === "leading") role.tracker.touch(session, timeout_ms);
    else role.touched.set(session, timeout_ms);
  }
  /** until: its end only. */
  watch(path: string, end: End, until: boolean): void {
    const watches = until ? this.#watches.end : this.#watches.changes;
    watches.set(path, (watches.get(path) ?? new Set()).add(end));
  }
  #tell(path: string, type: "created" | "changed" | "deleted"): void {
    const { changes, end: until } = this.#watches;
    for (const watches of type === "deleted" ? [changes, until] : [changes]) {
      const ends = watches.get(path) ?? [];
      watches.delete(path);
      for (const end of ends) if (end.open) end.back.send(() => end.client.told({ type, path }));
    }
  }

  // ---- transactions ----

  #submit(role: Leading | Following, from: From): void {
    if (role.is === "leading") return this.#prepare(role, from);
    const { leader, of } = role;
    role.to_leader.send(() => {
      if (leader.role === of && of.followers.has(this)) leader.#prepare(of, from);
    });
  }
  #prepare(role: Leading, from: From): void {
    const { end, asked } = from;
    const { request } = asked;
    const id = end.session;
    if ("begin_ms" in request) {
      const timeout_ms = request.begin_ms;
      role.tracker.begin(id, timeout_ms, end.server);
      return this.#propose(role, { ...this.#empty(role), session: { id, timeout_ms } }, from);
    }
    if ("close" in request) return this.end_session(id, from);
    const tracked = role.tracker.find(id);
    if (!tracked) return this.#propose(role, { ...this.#empty(role), answer: { refused: "expired" } }, from);
    tracked.owner ??= end.server;
    if (tracked.owner !== end.server)
      return this.#propose(role, { ...this.#empty(role), answer: { refused: "moved" } }, from);
    if ("write" in request) this.#propose(role, request.write(role.head, id, role.head.zxid + 1n), from);
  }
  /** Asked for by its client, from whichever connection, or because its time is over. */
  end_session(id: bigint, from: From | null): void {
    const { role } = this;
    if (role.is !== "leading") return;
    role.tracker.close(id);
    const gone = role.head.ephemerals_of(id).map((path) => [path, null] as const);
    this.#propose(
      role,
      { ...this.#empty(role), nodes: new Map(gone), session: { id, timeout_ms: null } },
      from,
    );
  }
  /** By an operator. */
  operate(operations: ZooKeeperOperation[]): void {
    const { role } = this;
    if (role.is === "leading")
      this.#propose(role, multi(role.head, operations, 0n, role.head.zxid + 1n), null);
  }
  #empty({ head }: Leading): Txn {
    return { zxid: head.zxid + 1n, nodes: new Map(), session: null, answer: null };
  }

  #propose(role: Leading, txn: Txn, from: From | null): void {
    const proposal: Proposal = { txn, from, acks: 1 };
    role.head.apply(txn);
    role.pending.push(proposal);
    this.tail.push(proposal);
    for (const [follower, { pipe }] of role.followers)
      pipe.send(() => {
        if (!follower.#hears(role)) return;
        follower.tail.push(proposal);
        follower.#acknowledge(role, this, proposal);
      });
  }
  /** It says so to the leader that it follows. */
  #acknowledge(role: Leading, leader: Server, proposal: Proposal): void {
    if (this.role.is !== "following") return;
    this.role.to_leader.send(() => {
      if (leader.role !== role || !leader.#hears_from(role, this)) return;
      proposal.acks++;
      for (let first = role.pending[0]; first && first.acks >= 2; first = role.pending[0]) {
        role.pending.shift();
        const agreed = first;
        leader.#apply(agreed);
        for (const [follower, { pipe }] of role.followers)
          pipe.send(() => follower.#hears(role) && follower.#apply(agreed));
      }
    });
  }
  #apply(proposal: Proposal): void {
    const { txn, from } = proposal;
    this.tail = this.tail.filter((one) => one !== proposal);
    this.tree.apply(txn);
    this.#ensemble.agreed(txn, from !== null);
    for (const [path, node] of txn.nodes) {
      this.#tell(path, node === null ? "deleted" : node.stat.czxid === txn.zxid ? "created" : "changed");
    }
    const { session } = txn;
    if (from?.end.server === this && from.end.open) {
      if (session && session.timeout_ms !== null) this.#greeted(from.end, true);
      else {
        from.asked.answer = { value: txn.answer };
        from.end.pump();
      }
    }
    if (session?.timeout_ms === null)
      for (const end of this.ends) if (end.session === session.id) end.close();
  }

  // ---- leader and followers ----

  /** Elected: what it has logged is agreed on, and each session gets its full time. */
  lead(epoch: bigint): void {
    for (const proposal of [...this.tail]) this.#apply(proposal);
    this.epoch = epoch;
    this.tree.zxid = epoch << 32n;
    const role: Leading = {
      is: "leading",
      head: new Tree(this.tree),
      pending: [],
      tracker: new Tracker(
        this.clock,
        this.#ensemble,
        (id) => this.role === role && this.end_session(id, null),
      ),
      followers: new Map(),
    };
    this.role = role;
    for (const [id, timeout_ms] of this.tree.sessions) role.tracker.begin(id, timeout_ms, null);
    role.tracker.watch(() => this.role === role);
    this.#ping(role, 0);
  }
  follow(leader: Server): void {
    if (leader.role.is !== "leading") return;
    const { role } = leader;
    this.epoch = leader.epoch;
    this.tree = new Tree(leader.tree);
    this.tail = [...role.pending];
    const to_leader = this.#ensemble.pipe(this, leader);
    const following: Following = {
      ...{ is: "following", leader, of: role, to_leader, heard_ns: this.clock.now_ns() },
      ...{ touched: new Map(), revalidating: new Map() },
    };
    this.role = following;
    role.followers.set(this, { pipe: this.#ensemble.pipe(leader, this), heard_ns: leader.clock.now_ns() });
    for (const proposal of role.pending) this.#acknowledge(role, leader, proposal);
    this.#wait(following);
  }
  /** Not with a leader, or not with followers, any more: no client is served. */
  leave(): void {
    this.role = { is: "looking" };
    for (const watches of Object.values(this.#watches)) watches.clear();
    for (const end of [...this.ends]) end.close();
    if (this.up) this.#ensemble.look(this);
  }

  /** Every half tick, by one thread. Only then do followers tell which sessions they heard of. */
  #ping(role: Leading, count: number): void {
    if (this.role !== role) return;
    const { tick_ns, patience_ns, ping_stalls } = this.#ensemble;
    if (ping_stalls === 0) {
      const now_ns = this.clock.now_ns();
      const heard = [...role.followers.values()].some(({ heard_ns }) => now_ns - heard_ns <= patience_ns);
      if (!heard && count % 2 === 1) return this.leave();
      for (const [follower, { pipe }] of role.followers) pipe.send(() => follower.#pinged(this, role));
    }
    this.clock.after(Number(tick_ns) / 2e6, () => this.#ping(role, count + 1), true);
  }
  #pinged(leader: Server, of: Leading): void {
    if (this.role.is !== "following" || !this.#hears(of)) return;
    const { touched } = this.role;
    this.role.touched = new Map();
    this.role.to_leader.send(() => {
      if (leader.role !== of || !leader.#hears_from(of, this)) return;
      for (const [id, timeout_ms] of touched) of.tracker.touch(id, timeout_ms);
    });
  }
  #wait(role: Following): void {
    if (this.role !== role) return;
    const left_ns = role.heard_ns + this.#ensemble.patience_ns - this.clock.now_ns();
    if (left_ns <= 0n) this.leave();
    else this.clock.after(Number(left_ns) / 1e6, () => this.#wait(role), true);
  }
  #hears(leading: Leading): boolean {
    if (this.role.is !== "following" || this.role.of !== leading) return false;
    this.role.heard_ns = this.clock.now_ns();
    return true;
  }
  #hears_from({ followers }: Leading, follower: Server): boolean {
    const found = followers.get(follower);
    if (found) found.heard_ns = this.clock.now_ns();
    return found !== undefined;
  }
}
