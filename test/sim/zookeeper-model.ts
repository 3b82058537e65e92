// ZooKeeper as the lock meets it: the client's end of its connections, each to one of the ensemble's servers. What is asked
// on one is answered in its order; what was sent may be done long after the client gave up.

import { Failure, LockUnknown } from "../../src/errors.ts";
import type {
  Connected,
  ConnectOptions,
  SessionGone,
  Stat,
  ZooKeeperApi,
  ZooKeeperConnection,
  ZooKeeperOperation,
} from "../../src/lock/zookeeper/api.ts";
import { ZooKeeperLock } from "../../src/lock/zookeeper/lock.ts";
import { nodes_at } from "../../src/lock/zookeeper/nodes.ts";
import { give_back_session, type ReleaseRecord } from "../../src/lock/zookeeper/release.ts";
import type { ModelBackend, Setting } from "./cluster.ts";
import type { Machine } from "./machine.ts";
import { Pipe } from "./pipe.ts";
import type { Clock, World } from "./world.ts";
import { Ensemble, path } from "./zookeeper-ensemble.ts";
import { End, type Hears, type Request } from "./zookeeper-end.ts";
import type { Server } from "./zookeeper-server.ts";
import { multi } from "./zookeeper-tree.ts";

// Made once each: a stack costs more than all else that is done for a connection.
const unknown = (why: string): LockUnknown => new LockUnknown(`ZooKeeper: ${why}`, "", "trying again");
const failures = {
  closed: unknown("it closed the connection"),
  dropped: unknown("the connection was given up"),
  late: unknown("no answer in time"),
  moved: unknown("the session is not this connection's any more"),
  silent: unknown("it is silent"),
  unconnected: unknown("no connection in time"),
  unserved: unknown("no server serves"),
};

type Waiter = { resolve: (value: never) => void; reject: (why: Failure) => void; cancel: () => void };
type Line = {
  clock: Clock;
  attempt_ms: number;
  out: Pipe;
  back: Pipe;
  server: Server;
  /** What is seen at a path besides what is there. */
  seen: (at: string, stat: Stat | "no-node") => Stat | "no-node";
};

class Connection implements ZooKeeperConnection {
  session = { id: 0n, password: new Uint8Array(16) };
  negotiated_ms = 0;
  readonly server: string;
  readonly #line: Line;
  readonly #end: End;
  readonly #options: ConnectOptions;
  readonly #waiting: Waiter[] = [];
  #over: Failure | undefined;
  #heard_ns: bigint;

  /** greeted: with whether the session is there; null: the server doesn't serve. */
  constructor(line: Line, options: ConnectOptions, greeted: (valid: boolean | null) => void) {
    this.#line = line;
    this.#options = options;
    this.server = line.server.name;
    this.#heard_ns = line.clock.now_ns();
    const hears: Hears = {
      connected: (id, timeout_ms) => {
        if (this.#over) return;
        this.session = { ...this.session, id };
        this.negotiated_ms = timeout_ms;
        this.#heard_ns = line.clock.now_ns();
        greeted(timeout_ms > 0);
        if (timeout_ms > 0) this.#ping();
      },
      answered: (value) => this.#answered(value),
      told: (event) => this.#over ?? options.on_event(event),
      alive: () => (this.#heard_ns = line.clock.now_ns()),
      closed: () => {
        if (this.negotiated_ms === 0) greeted(null);
        this.#fail(failures.closed);
      },
    };
    this.#end = new End(line.server, line.back, hears);
    options.on_sent();
    const { session, timeout_ms } = options;
    line.out.send(() => line.server.greet(this.#end, session?.id ?? null, timeout_ms));
  }

  get: ZooKeeperConnection["get"] = (at) => this.#ask({ read: (tree) => tree.get(at) });
  children: ZooKeeperConnection["children"] = (at) => this.#ask({ read: (tree) => tree.children(at) });
  exists: ZooKeeperConnection["exists"] = (at, watch) =>
    this.#ask({
      read: (tree) => this.#line.seen(at, tree.exists(at)),
      ...(watch && { watch: at, until: watch === "end" }),
    });
  set: ZooKeeperConnection["set"] = () => Promise.reject(new Error("the lock needs none"));
  multi: ZooKeeperConnection["multi"] = (operations: ZooKeeperOperation[]) =>
    this.#ask({ write: (tree, session, zxid) => multi(tree, operations, session, zxid) });
  async close_session(): Promise<void> {
    await this.#ask({ close: true });
    this.drop();
  }
  drop(): void {
    this.#fail(failures.dropped, false);
  }

  #ask<T>(request: Request): Promise<T> {
    if (this.#over) return Promise.reject(this.#over);
    const { clock, attempt_ms, out, server } = this.#line;
    return new Promise<T>((resolve, reject) => {
      const cancel = clock.after(attempt_ms, () => this.#fail(failures.late));
      this.#waiting.push({ resolve, reject, cancel });
      out.send(() => server.receive(this.#end, request));
    });
  }
  #answered(value: unknown): void {
    if (this.#over) return;
    this.#heard_ns = this.#line.clock.now_ns();
    if (typeof value === "object" && value !== null && "refused" in value) return this.#fail(failures.moved);
    const waiter = this.#waiting.shift();
    waiter?.cancel();
    waiter?.resolve(value as never);
  }
  #ping(): void {
    if (this.#over) return;
    const { clock, out, server } = this.#line;
    const silent_ms = Number(clock.now_ns() - this.#heard_ns) / 1e6;
    if (silent_ms > (this.negotiated_ms * 2) / 3) return this.#fail(failures.silent);
    out.send(() => server.ping(this.#end));
    clock.after(this.negotiated_ms / 3, () => this.#ping());
  }
  #fail(why: Failure, tell = true): void {
    if (this.#over) return;
    this.#over = why;
    this.#line.out.send(() => this.#end.gone());
    for (const { reject, cancel } of this.#waiting.splice(0)) {
      cancel();
      reject(why);
    }
    if (tell && this.negotiated_ms > 0) this.#options.on_event({ type: "down", because: why.message });
  }
}

export function zookeeper_backend(world: World, { timing: { attempt_ms }, gentle }: Setting): ModelBackend {
  const { random } = world;
  const ensemble = new Ensemble(world, gentle);

  const machines = new Map<bigint, Machine>();
  // Of a crowd whose names it can't find itself among, a standby is behind.
  const crowd = random.pick([0, 0, 40]);
  const seen: Line["seen"] = (at, stat) =>
    stat !== "no-node" && at === nodes_at(path).contenders ? { ...stat, children: crowd } : stat;

  function cut(machine: Machine, after_ms: number): void {
    world.after(after_ms, () => {
      machine.cut = true;
      world.after(random.between(5000, 45_000), () => (machine.cut = false));
    });
  }

  function line(server: Server, machine: Machine, clock: Clock, session: bigint | undefined): Line {
    const slow = (probability: number, least: number, most: number): number =>
      ensemble.slow > 0 && random.chance(probability) ? random.between(least, most) * attempt_ms : 0;
    const blocked = (): boolean => machine.cut;
    const delay_ms = (): number => random.between(0.2, 2) + slow(0.1, 0, 1.2);
    const out = new Pipe(world, { delay_ms, blocked, to: server.clock, quiet: true });
    // A session's first answer is the slowest: it is the leader's. It hurts most when nothing can be sent soon after it.
    let first = true;
    const answer_ms = (): number => {
      const late_ms = first ? slow(0.5, 0.4, 0.9) : 0;
      first = false;
      if (late_ms > 0 && session === ensemble.owner && random.chance(0.8))
        cut(machine, late_ms + random.between(270, 500));
      return delay_ms() + late_ms;
    };
    const back = new Pipe(world, { delay_ms: answer_ms, blocked, to: clock, quiet: false });
    return { clock, attempt_ms, out, back, server, seen };
  }

  function api(machine: Machine, clock: Clock): ZooKeeperApi {
    let next = random.integer(3);
    return {
      connect: (options) =>
        new Promise<Connected | SessionGone>((resolve, reject) => {
          const state: { over: boolean; connection?: Connection } = { over: false };
          const end = (settle: () => void): void => {
            state.over = true;
            cancel();
            settle();
          };
          const fail = (why: Failure): void => {
            next++;
            end(() => reject(why));
          };
          const cancel = clock.after(attempt_ms, () => {
            state.connection?.drop();
            fail(failures.unconnected);
          });
          const refused = (tried: number): void => {
            if (tried === 3) return fail(failures.unserved);
            next++;
            dial(tried, random.between(0.2, 2));
          };
          const dial = (tried: number, after_ms: number): void => {
            const server = ensemble.servers[next % 3];
            const connected = (): void => {
              if (state.over || !server) return;
              if (machine.cut) return dial(tried, 1000); // as TCP asks again
              if (!server.up) return refused(tried + 1);
              const connection = new Connection(
                line(server, machine, clock, options.session?.id),
                options,
                (valid) => {
                  if (state.over) return;
                  if (valid === null) refused(tried + 1);
                  else {
                    machines.set(connection.session.id, machine);
                    end(() => resolve(valid ? { kind: "connected", connection } : { kind: "session-gone" }));
                  }
                },
              );
              state.connection = connection;
            };
            world.after(after_ms, () => clock.run(connected));
          };
          dial(0, random.between(0.2, 2));
        }),
    };
  }

  // It has taken the lock, and its proof may have begun long before: it hurts most when no other can follow.
  ensemble.on_taken = (session) => {
    const machine = machines.get(session);
    // That is no short fault: whoever needs no round has started its app by then.
    if (machine && !gentle && random.chance(ensemble.slow > 0 ? 0.8 : 0.03))
      cut(machine, random.between(1, 60));
  };

  return {
    lock: (options, machine) =>
      new ZooKeeperLock({ servers: [], tls: false, path }, options, api(machine, machine.controller)),
    release(json, machine) {
      const { ttl_ms, session, record } = JSON.parse(json) as ReleaseRecord;
      if (session === null) return;
      const given = { id: BigInt(session.id), password: Buffer.from(session.password, "base64") };
      const options = {
        ttl_ms,
        time: machine.clock,
        nodes: nodes_at(path),
        record,
        session: given,
        tries: 8,
      };
      give_back_session(api(machine, machine.clock), options).catch((error: unknown) => {
        if (!(error instanceof Failure)) throw error;
      });
    },
    delete: () => ensemble.leader?.operate([{ op: "delete", path: `${path}/lock` }]),
    token: () => ensemble.token,
    on_expiry: (told) => (ensemble.on_expiry = told),
    faults: ensemble.faults,
  };
}
