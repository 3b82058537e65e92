import type { Socket } from "node:net";
import { LockRefused, LockUnknown, type Failure } from "../../errors.ts";
import type { Node, Session, Stat, ZooKeeperConnection, ZooKeeperEvent, ZooKeeperOperation } from "./api.ts";
import { failure_of, name_of, type Server } from "./dial.ts";
import * as wire from "./wire.ts";
import { code, requests, type Acl, type Request } from "./wire.ts";

type Waiter = { answer: (err: number, body: Buffer) => void; fail: (why: Failure) => void };
export type ConnectionOptions = {
  server: Server;
  attempt_ms: number;
  acl: Acl;
  on_event: (event: ZooKeeperEvent) => void;
};

const reasons = new Map<number, "no-node" | "exists" | "not-empty" | "bad-version">([
  [code.no_node, "no-node"],
  [code.exists, "exists"],
  [code.not_empty, "not-empty"],
  [code.bad_version, "bad-version"],
]);

/**
 * One TCP connection to one server, never used again once anything on it was late, broken or not understood.
 * Requests are numbered and answered in their order.
 */
export class Connection implements ZooKeeperConnection {
  readonly server: string;
  session: Session = { id: 0n, password: Buffer.alloc(16) };
  negotiated_ms = 0;

  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #frames = new wire.Frames();
  readonly #waiters: (Waiter & { xid: number })[] = [];
  #greeting: { answer: (frame: Buffer) => void; fail: (why: Failure) => void } | undefined;
  #auth: Waiter | undefined;
  #end: Failure | undefined;
  #xid = 0;
  #pings: NodeJS.Timeout | undefined;
  #heard_ns = process.hrtime.bigint();

  constructor(socket: Socket, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.server = name_of(options.server);
    socket.on("data", (chunk) => this.#received(chunk));
    socket.on("error", (error) => this.#fail(failure_of(error, options.server)));
    socket.on("close", () => this.#fail(this.#unknown("it closed the connection")));
  }

  /** The first exchange. False: the session is gone. */
  async greet(session: Session | undefined, timeout_ms: number, on_sent: () => void): Promise<boolean> {
    const answer = this.#bounded<Buffer>(
      (resolve, fail) => (this.#greeting = { answer: resolve, fail }),
      "the session",
    );
    // Nothing may come between: this instant is the beginning of a proof.
    on_sent();
    this.#socket.write(wire.connect_request({ ...(session && { session }), timeout_ms }));
    const response = this.#understood(() => wire.connect_response, await answer);
    if (response.timeout_ms <= 0) return false;
    if (session && response.session.id !== session.id)
      throw this.#fail(this.#unknown("it answered for another session"));
    if (this.#end) throw this.#end;
    this.session = response.session;
    this.negotiated_ms = response.timeout_ms;
    this.#pings = setInterval(() => this.#ping(), this.negotiated_ms / 3);
    return true;
  }

  async authenticate(user: string, password: string): Promise<void> {
    const answer = this.#bounded<number>(
      (answered, fail) => (this.#auth = { answer: answered, fail }),
      "the login",
    );
    this.#socket.write(wire.auth_request(user, password));
    const err = await answer;
    if (err !== code.ok) throw this.#fail(this.#refusal(err, "the login"));
  }

  get(path: string): Promise<Node | "no-node"> {
    return this.#read(path, requests.get(path));
  }

  children(path: string): Promise<string[] | "no-node"> {
    return this.#read(path, requests.children(path));
  }

  exists(path: string, watch?: "changes" | "end"): Promise<Stat | "no-node"> {
    const request =
      watch === "end" ? requests.exists_until(path) : requests.exists(path, watch !== undefined);
    return this.#read(path, request);
  }

  async set(path: string, data: string, version = -1): Promise<Stat | "no-node" | "bad-version"> {
    const answer = await this.#ask(requests.set(path, data, version), path);
    if (answer.err === code.no_node) return "no-node";
    if (answer.err === code.bad_version) return "bad-version";
    return this.#value(answer, path);
  }

  async multi(operations: ZooKeeperOperation[]): ReturnType<ZooKeeperConnection["multi"]> {
    const paths = operations.map(({ path }) => path).join(", ");
    const errors = this.#value(await this.#ask(requests.multi(operations, this.#options.acl), paths), paths);
    // Of a failed transaction, what precedes the culprit says 0, and what follows it says that it was not tried.
    const failed = errors.findIndex((err) => err !== code.ok);
    if (failed < 0) return "done";
    const err = errors[failed] ?? 0;
    const why = reasons.get(err);
    if (why !== undefined) return { failed, why };
    throw this.#refusal(err, operations[failed]?.path ?? paths);
  }

  async close_session(): Promise<void> {
    this.#value(await this.#ask(requests.close_session(), "the session"), "the session");
    this.drop();
  }

  drop(): void {
    this.#fail(this.#unknown("the connection was given up"), false);
  }

  async #read<T>(path: string, request: Request<T>): Promise<T | "no-node"> {
    const answer = await this.#ask(request, path);
    return answer.err === code.no_node ? "no-node" : this.#value(answer, path);
  }

  #value<T>(answer: { err: number; read: () => T }, path: string): T {
    if (answer.err !== code.ok) throw this.#refusal(answer.err, path);
    return answer.read();
  }

  async #ask<T>(request: Request<T>, what: string): Promise<{ err: number; read: () => T }> {
    const xid = (this.#xid += 1);
    const answer = this.#bounded<{ err: number; body: Buffer }>((resolve, fail) => {
      this.#waiters.push({ xid, answer: (err, body) => resolve({ err, body }), fail });
    }, what);
    if (!this.#end) this.#socket.write(wire.request_bytes(xid, request));
    const { err, body } = await answer;
    return { err, read: () => this.#understood(() => request.read, body) };
  }

  /** An answer, or the connection's end. No answer in time is that end. */
  async #bounded<T>(
    start: (resolve: (value: T) => void, fail: (why: Failure) => void) => void,
    what: string,
  ): Promise<T> {
    if (this.#end) throw this.#end;
    const { attempt_ms } = this.#options;
    const late = (): void =>
      void this.#fail(this.#unknown(`no answer about ${what} within ${attempt_ms} ms`));
    const timer = setTimeout(late, attempt_ms);
    try {
      return await new Promise<T>(start);
    } finally {
      clearTimeout(timer);
    }
  }

  #received(chunk: Buffer): void {
    if (this.#end) return;
    this.#heard_ns = process.hrtime.bigint();
    try {
      for (const frame of this.#frames.push(chunk)) this.#frame(frame);
    } catch (error) {
      if (error instanceof wire.NotZooKeeper) this.#fail(this.#not_zookeeper());
      else this.#fail(this.#unknown(`its answer can't be understood: ${String(error)}`));
    }
  }

  #frame(frame: Buffer): void {
    if (this.#greeting) {
      const { answer } = this.#greeting;
      this.#greeting = undefined;
      answer(frame);
      return;
    }
    const { xid, err, body } = wire.reply(frame);
    switch (xid) {
      case wire.xid.ping:
        return;
      case wire.xid.auth:
        this.#auth?.answer(err, body);
        return;
      case wire.xid.notification: {
        const event = wire.watch_event(body);
        // Not in here: what the listener throws is not this connection's.
        if (event) queueMicrotask(() => this.#options.on_event(event));
        return;
      }
      default: {
        const waiter = this.#waiters.shift();
        if (waiter?.xid !== xid) throw new Error(`answer ${xid} where ${waiter?.xid ?? "none"} was due`);
        waiter.answer(err, body);
      }
    }
  }

  #understood<T>(reader: () => (bytes: Buffer) => T, bytes: Buffer): T {
    try {
      return reader()(bytes);
    } catch (error) {
      throw this.#fail(this.#unknown(`its answer can't be understood: ${String(error)}`));
    }
  }

  #ping(): void {
    const silent_ms = Number(process.hrtime.bigint() - this.#heard_ns) / 1e6;
    if (silent_ms > (this.negotiated_ms * 2) / 3)
      this.#fail(this.#unknown(`silent for ${Math.round(silent_ms)} ms`));
    else this.#socket.write(wire.ping_request());
  }

  /** Ends the connection, once; what still waits for an answer hears why. */
  #fail(why: Failure, tell = true): Failure {
    if (this.#end) return this.#end;
    this.#end = why;
    clearInterval(this.#pings);
    this.#socket.destroy();
    this.#greeting?.fail(why);
    this.#auth?.fail(why);
    for (const waiter of this.#waiters.splice(0)) waiter.fail(why);
    if (tell) queueMicrotask(() => this.#options.on_event({ type: "down", because: why.message }));
    return why;
  }

  #refusal(err: number, what: string): Failure {
    const { server } = this;
    switch (err) {
      case code.no_auth:
        return new LockRefused(
          `ZooKeeper permits no access to ${what}`,
          what,
          "check the user, the password and the ACLs",
        );
      case code.auth_failed:
        return new LockRefused(
          `ZooKeeper at ${server} refuses the login`,
          server,
          "check the user and the password",
        );
      case code.invalid_acl:
        return new LockRefused(
          `ZooKeeper accepts no ACL for ${what}`,
          what,
          "enable digest authentication there",
        );
      case code.no_children_for_ephemerals:
        return new LockRefused(
          `${what} lies below an ephemeral node`,
          what,
          "choose another path for the lock",
        );
      case code.session_moved:
      case code.session_expired:
        return this.#fail(this.#unknown("the session is not this connection's any more"));
      default:
        return this.#unknown(`it answered error ${err} about ${what}`);
    }
  }

  #not_zookeeper(): Failure {
    return new LockRefused(
      `${this.server} does not speak ZooKeeper's protocol`,
      this.server,
      "check the port",
    );
  }

  #unknown(why: string): Failure {
    return new LockUnknown(
      `ZooKeeper at ${this.server}: ${why}`,
      this.server,
      "check the server and the network",
    );
  }
}
