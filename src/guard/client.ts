import { fstatSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import { GuardLost, NotGuarded } from "../errors.ts";
import { Clock } from "./clock.ts";
import type { GuardEvent, Status } from "./events.ts";
import { Decoder, encode, FrameError, type Order, version } from "./frames.ts";

type Hello = Omit<Extract<Order, { type: "hello" }>, "type">;
type Start = Omit<Extract<Order, { type: "start" }>, "type">;
type Release = Omit<Extract<Order, { type: "release" }>, "type" | "offset">;

export type GuardOptions = {
  /** tty: whether the real standard error is a terminal. */
  hello: Hello | ((tty: boolean) => Hello);
  /** Every event but `ack`, in the guard's order. */
  on_event: (event: GuardEvent) => void;
  /** Called once when the stream ended or was no stream of a guard: what the guard does now is not known. */
  on_lost: (error: GuardLost) => void;
  /** How long an order may stay unanswered. */
  timeout_ms?: number;
  /** Descriptor of the guard's socket, or the socket itself. */
  fd?: number;
  socket?: Socket;
  clock?: Clock;
};

const unsent_max_bytes = 1 << 20;

/**
 * The controller's end of the guard's socket. Every order resolves to the guard's answer: a refusal is a value. No answer
 * (in time, or because the stream ended) is an error: whether the order was obeyed is then unknown.
 */
export class Guard {
  readonly clock: Clock;
  readonly #socket: Socket;
  readonly #options: GuardOptions;
  readonly #decoder = new Decoder();
  readonly #pending = new Map<number, { settle: (status: Status) => void; fail: (error: Error) => void }>();
  #sequence = 0;
  #release_end = 0;
  #lost: GuardLost | undefined;
  #welcomed: ((tty: boolean) => void) | undefined;

  /** Waits for the guard's welcome and says hello. */
  static async connect(options: GuardOptions): Promise<Guard> {
    const guard = new Guard(options);
    await new Promise((resolve, reject) => {
      // At once: what comes together with the welcome, such as a change of mounts, is answered after the hello.
      guard.#welcomed = (tty) => {
        const hello = typeof options.hello === "function" ? options.hello(tty) : options.hello;
        resolve(guard.#order({ type: "hello", ...hello }));
      };
      guard.#pending.set(0, { settle: () => {}, fail: reject });
    });
    guard.#pending.delete(0);
    return guard;
  }

  private constructor(options: GuardOptions) {
    const fd = options.fd ?? 3;
    if (!options.socket && !is_socket(fd)) throw new NotGuarded(fd);
    this.#options = options;
    this.clock = options.clock ?? new Clock();
    this.#socket = options.socket ?? new Socket({ fd });
    this.#socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    this.#socket.on("error", (error) => this.#lose(error.message));
    this.#socket.on("close", () =>
      this.#lose(this.#decoder.cut ? "it ended in the middle of a frame" : "it ended"),
    );
  }

  /** Opens a tenure or moves its deadline. */
  deadline(tenure: bigint, deadline_ns: bigint): Promise<Status> {
    return this.#order({ type: "deadline", tenure, deadline_ns });
  }
  start(start: Start): Promise<Status> {
    return this.#order({ type: "start", ...start });
  }
  /** stop: this is the stop; with scope group the rest of the tree then outlives the main process for a while. */
  signal(signal: number, scope: "main" | "group", stop: boolean): Promise<Status> {
    return this.#order({ type: "signal", signal, scope, stop });
  }
  /** The stop that `signalled` told of is being dealt with. */
  taken(signal: number): Promise<Status> {
    return this.#order({ type: "taken", signal });
  }
  /** close: the tenure's deadline ends too, and with it its jobs. */
  kill(tenure: bigint, close: boolean): Promise<Status> {
    return this.#order({ type: "kill", tenure, close });
  }
  /** The guard ends with this code once nothing of the app is left. */
  exit(code: number): Promise<Status> {
    return this.#order({ type: "exit", code });
  }

  /** What the guard does for a dead controller. The record goes through memory only, to the release program's stdin. */
  register_release(record: Uint8Array, release: Release, memfd = 5): Promise<Status> {
    const offset = this.#release_end;
    for (let at = 0; at < record.length;) at += writeSync(memfd, record, at, record.length - at, offset + at);
    this.#release_end += record.length;
    return this.#order({ type: "release", offset: BigInt(offset), ...release });
  }
  unregister_release(): Promise<Status> {
    return this.#order({ type: "release", offset: 2n ** 64n - 1n, drain_ms: 0, release_ms: 0, paths: [] });
  }

  #order(order: Order): Promise<Status> {
    if (this.#lost) return Promise.reject(this.#lost);
    if (this.#socket.writableLength > unsent_max_bytes)
      return Promise.reject(new GuardLost("it does not read"));
    const sequence = this.#sequence + 1;
    const bytes = encode(order, sequence); // throws before the number is used up
    this.#sequence = sequence;
    this.#socket.write(bytes);
    return new Promise((resolve, reject) => {
      const { timeout_ms = 5000 } = this.#options;
      const late = setTimeout(() => {
        this.#pending.delete(sequence);
        reject(new GuardLost(`it did not answer ${order.type} within ${timeout_ms} ms`));
      }, timeout_ms);
      const done =
        <T>(then: (value: T) => void) =>
        (value: T): void => {
          clearTimeout(late);
          then(value);
        };
      this.#pending.set(sequence, { settle: done(resolve), fail: done(reject) });
    });
  }

  #receive(chunk: Buffer): void {
    try {
      for (const event of this.#decoder.push(chunk)) this.#handle(event);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#lose(error.message);
    }
  }

  #handle(event: GuardEvent): void {
    this.clock.sample(event.at_ns);
    if (event.event === "ack") {
      const order = this.#pending.get(event.sequence);
      this.#pending.delete(event.sequence);
      order?.settle(event.status); // none: it was given up, and its answer is refused
      return;
    }
    if (event.event === "welcome") {
      if (event.version !== version)
        throw new FrameError(`the guard speaks version ${event.version}, not ${version}`);
      this.#welcomed?.(event.tty);
    }
    // The sign of life that frames.md asks for; what to do about it is the caller's.
    const to_answer = event.event === "mounts" || (event.event === "killing" && event.why === "deadline");
    if (to_answer) this.taken(0).catch(() => {});
    this.#options.on_event(event);
  }

  #lose(why: string): void {
    if (this.#lost) return;
    this.#lost = new GuardLost(why);
    for (const { fail } of this.#pending.values()) fail(this.#lost);
    this.#pending.clear();
    this.#socket.destroy();
    this.#options.on_lost(this.#lost);
  }
}

/** For a controller that ends before it has begun: the guard ends with this code, nothing is started. */
export async function exit_through_guard(code: number): Promise<void> {
  const hello: Hello = { cap_ms: 1, grace_ms: 0, stop_signal: 15, scope: "main", json_log: false };
  const guard = await Guard.connect({ hello, on_event: () => {}, on_lost: () => {} });
  await guard.exit(code);
}

function is_socket(fd: number): boolean {
  try {
    return fstatSync(fd).isSocket();
  } catch {
    return false;
  }
}
