import { LockUnknown } from "../../errors.ts";
import { ms_to_ns } from "../../core/time.ts";
import type { LockOptions } from "../lock.ts";
import type { Session, ZooKeeperApi } from "./api.ts";
import { drop_link, open_link, type Link } from "./link.ts";
import { wrote } from "./warmth.ts";

/** The session at hand, which outlives its connections, and the connection at hand. */
export class Attachment {
  readonly #api: ZooKeeperApi;
  readonly #options: Pick<LockOptions, "ttl_ms" | "time" | "on_note">;
  /** For people: what it is about. */
  readonly #about: string;
  #session: Session | undefined;
  #link: Link | undefined;
  /** Settles when nothing attaches to the session any more. */
  #attaching: Promise<unknown> = Promise.resolve();
  /** The shortest timeout that this session was ever granted. */
  #bound_ms = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(api: ZooKeeperApi, options: Pick<LockOptions, "ttl_ms" | "time" | "on_note">, about: string) {
    this.#api = api;
    this.#options = options;
    this.#about = about;
  }

  get session(): Session | undefined {
    return this.#session;
  }
  get bound_ms(): number {
    return this.#bound_ms;
  }
  /** The connection at hand, up or not. Not any more when it is given up. */
  get current(): Link | undefined {
    return this.#link;
  }
  /** The connection at hand, if it is up. */
  get ready(): Link | undefined {
    return this.#link?.state.up === true ? this.#link : undefined;
  }

  /** Two that attach to one session at a time would break each other, so they take turns. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#attaching.then(work);
    this.#attaching = turn.catch(() => {});
    return turn;
  }

  /** The connection at hand, or another one to the session at hand, or another session. */
  async connected(): Promise<Link> {
    return this.ready ?? (await this.alone(() => this.attached()));
  }

  /** The same for those whose turn it is. anew: in another session, if this one has ended by one server's word. */
  async attached(anew = true): Promise<Link> {
    if (this.ready) return this.ready;
    let link = await open_link(this.#api, this.#options, this.#session);
    if (link === null) {
      if (!anew) throw this.#unknown("one server says that the session has ended");
      this.forget();
      link = await open_link(this.#api, this.#options, undefined);
    }
    if (link === null) throw this.#unknown("it ended a session that it had just begun");
    this.#session = link.session;
    this.use(link);
    this.granted(link.connection.negotiated_ms);
    return link;
  }

  /**
   * The same, but a connection that is older than this is replaced by a new one, and written on. Throws if that fails, and
   * the old one stays, up or not.
   */
  async younger(
    { connection_ms }: { connection_ms: number },
    write: (link: Link) => Promise<unknown>,
  ): Promise<Link> {
    return this.alone(async () => {
      const { ready: old, session } = this;
      const { time } = this.#options;
      if (!old || !session) return this.attached();
      if (time.now_ns() - old.asked_ns < ms_to_ns(connection_ms)) return old;
      const link = await open_link(this.#api, this.#options, session);
      if (link === null) {
        this.forget();
        return this.attached();
      }
      this.granted(link.connection.negotiated_ms);
      try {
        await write(link);
        wrote(link, time);
      } catch (error) {
        drop_link(link);
        throw error;
      }
      this.use(link);
      return link;
    });
  }

  /** From now on it is this connection. */
  use(link: Link): void {
    const old = this.#link;
    this.#link = link;
    if (old) drop_link(old);
    if (!this.#closed) return;
    drop_link(link);
    throw this.#unknown("it was closed here");
  }

  /** The server counts by this timeout from now on, also when nothing else comes of the connection. */
  granted(granted_ms: number): void {
    const { ttl_ms, on_note } = this.#options;
    if (granted_ms < this.#bound_ms && granted_ms !== ttl_ms)
      on_note?.(`ZooKeeper grants a session timeout of ${granted_ms} ms, not ${ttl_ms}`);
    this.#bound_ms = Math.min(this.#bound_ms, granted_ms);
  }

  /** The session is over. */
  forget(): void {
    this.#give_up();
    this.#session = undefined;
    this.#bound_ms = Number.POSITIVE_INFINITY;
  }

  /** No connection stays, and none is made any more. The session isn't ended. */
  close(): void {
    this.#closed = true;
    this.#give_up();
  }

  #give_up(): void {
    const link = this.#link;
    this.#link = undefined;
    if (link) drop_link(link);
  }

  #unknown(why: string): LockUnknown {
    return new LockUnknown(`ZooKeeper's ${this.#about}: ${why}`, this.#about, "it is tried again");
  }
}
