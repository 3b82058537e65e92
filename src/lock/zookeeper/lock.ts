import type { Proof } from "../../core/lease.ts";
import type { LockRecord } from "../../core/record.ts";
import { Failure, LockUnknown } from "../../errors.ts";
import type { Busy, Lock, LockOptions, LockView, Lost, Proved, ReleaseState, Taken } from "../lock.ts";
import type { ZooKeeperApi, ZooKeeperEvent } from "./api.ts";
import { Attachment } from "./attachment.ts";
import { confirm_end } from "./confirm.ts";
import { name_of } from "./dial.ts";
import { Ensemble } from "./ensemble.ts";
import { Line } from "../line.ts";
import { drop_link, open_link, type Link } from "./link.ts";
import { look } from "./look.ts";
import { previous_seen, record_of } from "../records.ts";
import { Sighting } from "../sighting.ts";
import { contender_node, nodes_at, type Nodes } from "./nodes.ts";
import { deregister, make_parents, register } from "./register.ts";
import { give_back, give_back_session, release_record } from "./release.ts";
import { mark, round, watch_lock, write, type Held, type RoundAnswer, type Written } from "./round.ts";
import { ZooKeeperSession, type ZooKeeperTarget } from "./session.ts";
import { try_to_take, type Tried } from "./take.ts";
import { wait_for_end } from "./waiting.ts";
import { warm_since, wrote } from "./warmth.ts";

/**
 * One ephemeral node is the lock, its czxid the token. What proves that it is ours is round.ts, and nothing else: neither
 * a connection that is up, nor a ping, nor a read.
 * There is one session at a time; it outlives its connections, and ends in release() and in close().
 */
export class ZooKeeperLock implements Lock {
  readonly url: string;
  readonly #target: ZooKeeperTarget;
  readonly #options: LockOptions;
  readonly #api: ZooKeeperApi;
  readonly #nodes: Nodes;
  readonly #attachment: Attachment;
  readonly #sighting: Sighting;
  readonly #line: Line;
  readonly #ensemble: Ensemble;
  #held: Held | undefined;
  /** A release that has begun. Until it is confirmed, what it asked for may be applied at any time: nothing is taken or proved. */
  #releasing: [ReleaseState, number] | undefined;
  /** The session in which the nodes above the lock were seen, and to which the contender's node belongs. */
  #registered: bigint | undefined;
  #closed = false;
  /** Proofs that are asked for now. */
  #rounds = 0;
  readonly #tried: Tried = new Map();

  constructor(target: ZooKeeperTarget, options: LockOptions, api?: ZooKeeperApi) {
    this.#target = target;
    this.#options = options;
    this.#api = api ?? new ZooKeeperSession(target, options);
    this.#nodes = nodes_at(target.path);
    const servers = target.servers.map(name_of).join(",");
    this.#sighting = new Sighting(options.time);
    const { contenders } = this.#nodes;
    const name = contender_node(this.#nodes, options.identity).slice(contenders.length + 1);
    this.#ensemble = new Ensemble(this.#nodes, options.identity.instance);
    this.#line = new Line(name, options);
    this.#attachment = new Attachment(this.#api, options, this.#nodes.lock);
    this.url = `${target.tls ? "zks" : "zk"}://${servers}${this.#nodes.root}`;
  }

  async take(): Promise<Taken | Busy> {
    if (this.#releasing) await this.release(...this.#releasing);
    const link = await this.#attachment.alone(() => this.#attachment.attached());
    try {
      await this.#register(link);
      return await this.#take_on(link);
    } catch (error) {
      // Maybe because all of it was deleted.
      this.#registered = undefined;
      throw error;
    }
  }

  async #take_on(link: Link): Promise<Taken | Busy> {
    const { identity, time } = this.#options;
    for (let tries = 0; tries < 5; tries += 1) {
      // Before the creation is sent, and of the connection that it is sent on.
      const warm_ns = warm_since(link, time.now_ns(), this.#lease_ms());
      const given = { identity, ttl_ms: this.#lease_ms() };
      const answer = await try_to_take(link.connection, this.#nodes, given, this.#tried);
      if (answer === "again") continue;
      wrote(link, time);
      if (answer.kind === "busy") {
        this.#sighting.see(answer.stat.czxid, answer.stat.mzxid);
        return { kind: "busy", holder: answer.holder };
      }
      const { held } = answer;
      this.#held = held;
      if (answer.kind === "found" || warm_ns === null) return this.#taken(held, await this.#round(held));
      this.#claim(link, held);
      return this.#taken(held, { t0_ns: warm_ns, bound_ms: this.#attachment.bound_ms });
    }
    throw this.#unknown("it changed hands all the time");
  }

  #taken({ token, previous }: Held, proof: Proof | Lost): Taken {
    if ("kind" in proof) throw this.#unknown("it was lost while it was taken");
    this.#tried.clear();
    const previous_seen_ns = previous_seen(previous, this.#options.identity, this.#sighting);
    return { kind: "taken", token, proof, previous, previous_seen_ns };
  }

  /** What a round would have done besides: the token is written down, and the lock's end is watched for. Nobody waits for it. */
  #claim(link: Link, held: Held): void {
    link.listeners.add((event) => this.#watched(link, held, event));
    const claimed = this.#attachment.alone(async () =>
      this.#held === held && link.state.up ? write(this.#written(held), link, true) : null,
    );
    claimed.then(
      (lost) => lost !== null && this.#tell(held, lost),
      () => {}, // the next round does it
    );
  }

  async prove(): Promise<Proved | Lost> {
    if (!this.#held || this.#releasing) return { kind: "lost", because: `${this.#nodes.lock} is not held` };
    const answer = await this.#round(this.#held);
    return "kind" in answer ? answer : { kind: "proved", proof: answer };
  }

  async #round(held: Held): Promise<Proof | Lost> {
    this.#rounds += 1;
    try {
      return await this.#round_alone(held);
    } finally {
      this.#rounds -= 1;
    }
  }

  #round_alone(held: Held): Promise<Proof | Lost> {
    return this.#attachment.alone(async () => {
      if (this.#held !== held) return { kind: "lost", because: `${this.#nodes.lock} is not held any more` };
      const { session } = this.#attachment;
      const answer: RoundAnswer = session
        ? await round({
            ...this.#written(held),
            api: this.#api,
            options: this.#options,
            session,
            // Also of a round that fails later: the server then counts by it.
            on_granted: (granted_ms) => this.#attachment.granted(granted_ms),
            on_event: (link, event) => this.#watched(link, held, event),
          })
        : { kind: "session-gone" };
      switch (answer.kind) {
        case "confirmed":
          this.#ensemble.trust(answer.link);
          this.#attachment.use(answer.link);
          return { t0_ns: answer.t0_ns, bound_ms: this.#attachment.bound_ms };
        case "lost":
          drop_link(answer.link);
          this.#held = undefined;
          return { kind: "lost", because: answer.because };
        case "session-gone":
          if (session) await confirm_end(this.#api, this.#options, this.#nodes, session, this.#ensemble);
          this.#attachment.forget();
          this.#held = undefined;
          return { kind: "lost", because: "ZooKeeper has ended the session" };
      }
    });
  }

  async mark(): Promise<void> {
    await this.#attachment.alone(async () => {
      const held = this.#held;
      if (!held) throw this.#unknown("it is not held");
      const link = await this.#attachment.attached(false);
      await mark(link, this.#nodes, held, this.#record(held, "running"));
    });
  }

  #written(held: Held): Written {
    return { nodes: this.#nodes, held, tried: this.#tried, data: () => this.#record(held, "running") };
  }

  #record({ token, since }: Held, state: LockRecord["state"], failures = 0): string {
    const ttl_ms = this.#lease_ms();
    return JSON.stringify(record_of(this.#options.identity, { state, token, since, ttl_ms, failures }));
  }

  /** For how long a proof counts at most. */
  #lease_ms(): number {
    return Math.min(this.#options.ttl_ms, this.#attachment.bound_ms);
  }

  #watched(link: Link, held: Held, event: ZooKeeperEvent): void {
    if (this.#held !== held || held.told) return;
    if (event.type === "down") {
      // Who ends a session breaks its connections before they could be told. The next proof would come too late.
      // A server breaks the connection that a session had to it when the session comes again: with a round, too.
      if (this.#attachment.current === link && this.#rounds === 0)
        void this.#round(held).then(
          (answer) => "kind" in answer && this.#tell(held, answer.because),
          () => {},
        );
      return;
    }
    if (event.path !== this.#nodes.lock) return;
    // Watched since after a write of ours, so what was deleted is ours, not a predecessor's.
    if (event.type === "deleted") return this.#tell(held, `${event.path} was deleted`);
    void watch_lock(link, event.path, held).then(
      (lost) => lost !== null && this.#held === held && this.#tell(held, lost),
    );
  }

  #tell(held: Held, because: string): void {
    if (held.told) return;
    held.told = true;
    this.#options.on_lost(because);
  }

  async #register(link: Link): Promise<void> {
    const { connection, session } = link;
    await this.#ensemble.same(link);
    if (this.#registered === session.id) return;
    await make_parents(connection, this.#nodes);
    await this.#ensemble.note(link);
    if (this.#options.register !== false) await register(connection, this.#nodes, this.#options.identity);
    this.#registered = session.id;
  }

  wait(abort: AbortSignal): Promise<void> {
    return wait_for_end(
      {
        ...{ attachment: this.#attachment, nodes: this.#nodes, line: this.#line, sighting: this.#sighting },
        time: this.#options.time,
        register: (link) => this.#register(link),
        lease_ms: () => this.#lease_ms(),
      },
      abort,
    );
  }

  async look(): Promise<LockView> {
    const { connection } = await this.#attachment.connected();
    return look(connection, this.#nodes);
  }

  async release(state: ReleaseState, failures = 0): Promise<void> {
    this.#releasing = [state, failures];
    await this.#attachment.alone(async () => {
      const { ttl_ms, time } = this.#options;
      const { session, ready: link } = this.#attachment;
      const held = this.#held;
      // From here on a deletion is our own.
      if (held) held.told = true;
      if (session) {
        const record = held && state !== "as-found" ? this.#record(held, state, failures) : null;
        try {
          if (!link) throw this.#unknown("it is not connected");
          await give_back(link.connection, this.#nodes, record, held);
        } catch (error) {
          if (!(error instanceof LockUnknown)) throw error;
          const how = { ttl_ms, time, nodes: this.#nodes, record, session, tries: 2 };
          await give_back_session(this.#api, how);
        }
        this.#attachment.forget();
      }
      this.#held = undefined;
      this.#releasing = undefined;
      this.#tried.clear();
    });
  }

  release_record(): string {
    const { session } = this.#attachment;
    const held = this.#held;
    const record = held?.found === null ? this.#record(held, "clean") : null;
    return release_record({ target: this.#target, options: this.#options, session, record });
  }

  /** Without the lock the session ends, too, and with it a creation that is still on its way. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const { session, ready: link } = this.#attachment;
    try {
      if (this.#held) {
        if (link && this.#options.register !== false)
          await deregister(link.connection, this.#nodes, this.#options.identity);
      } else if (session) {
        const open = link ?? (await open_link(this.#api, this.#options, session));
        await open?.connection.close_session();
        if (open) drop_link(open);
      }
    } catch (error) {
      // It ends by itself.
      if (!(error instanceof Failure)) throw error;
    }
    this.#attachment.close();
  }

  #unknown(why: string): LockUnknown {
    return new LockUnknown(`ZooKeeper's ${this.#nodes.lock}: ${why}`, this.url, "it is tried again");
  }
}
