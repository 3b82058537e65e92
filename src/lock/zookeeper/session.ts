import { LockRefused, LockUnknown, type Failure } from "../../errors.ts";
import type { Credentials } from "../lock.ts";
import type { Connected, ConnectOptions, SessionGone, ZooKeeperApi } from "./api.ts";
import { Connection } from "./connection.ts";
import { dial, type Server } from "./dial.ts";

export type ZooKeeperTarget = { servers: Server[]; tls: boolean; path: string };

/** ZooKeeper for real. Servers are taken in random order, so that many clients don't crowd on the first one named. */
export class ZooKeeperSession implements ZooKeeperApi {
  readonly #servers: Server[];
  readonly #tls: boolean;
  readonly #credentials: Credentials;
  readonly #attempt_ms: number;
  #next = 0;

  constructor(target: ZooKeeperTarget, options: { attempt_ms: number; credentials?: Credentials }) {
    this.#servers = shuffled(target.servers);
    this.#tls = target.tls;
    this.#credentials = options.credentials ?? {};
    this.#attempt_ms = options.attempt_ms;
  }

  /**
   * Stays with a server that works. One that refuses at once costs nothing: the next is asked, with a ConnectRequest, and so
   * an on_sent, of its own. One that is silent takes the whole attempt, and the next attempt begins with another.
   */
  async connect(options: ConnectOptions): Promise<Connected | SessionGone> {
    const abort = AbortSignal.timeout(this.#attempt_ms);
    let failure: Failure | undefined;
    for (let tried = 0; tried < this.#servers.length && !abort.aborted; tried += 1) {
      try {
        return await this.#connect_to(this.#servers[this.#next % this.#servers.length], options, abort);
      } catch (error) {
        this.#next += 1;
        if (!(error instanceof LockRefused || error instanceof LockUnknown)) throw error;
        // One wrong server among right ones doesn't make the whole ensemble wrong.
        if (!failure || error instanceof LockUnknown) failure = error;
      }
    }
    throw failure ?? new LockUnknown("no ZooKeeper server is named", "", "name one in the lock's URL");
  }

  async #connect_to(
    server: Server | undefined,
    { session, timeout_ms, on_sent, on_event }: ConnectOptions,
    abort: AbortSignal,
  ): Promise<Connected | SessionGone> {
    if (!server) throw new LockUnknown("no ZooKeeper server is named", "", "name one in the lock's URL");
    const { user, password } = this.#credentials;
    const socket = await dial(server, this.#tls, this.#credentials, abort);
    const with_user = user !== undefined && password !== undefined;
    const connection = new Connection(socket, {
      server,
      attempt_ms: this.#attempt_ms,
      acl: with_user ? "creator" : "anyone",
      on_event,
    });
    const late = (): void => connection.drop();
    abort.addEventListener("abort", late);
    try {
      if (!(await connection.greet(session, timeout_ms, on_sent))) {
        connection.drop();
        return { kind: "session-gone" };
      }
      if (with_user) await connection.authenticate(user, password);
      return { kind: "connected", connection };
    } catch (error) {
      connection.drop();
      throw error;
    } finally {
      abort.removeEventListener("abort", late);
    }
  }
}

function shuffled<T>(items: readonly T[]): T[] {
  const keyed = items.map((item) => ({ item, key: Math.random() }));
  return keyed.toSorted((a, b) => a.key - b.key).map(({ item }) => item);
}
