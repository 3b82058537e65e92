// The load: clients that store numbers, each the next one that nobody has tried yet, note every one that was acknowledged, and
// find the server again by themselves.

import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Protocol } from "./database-protocols.ts";

/** A number that the server said it has stored, and when that was read. */
export type Acknowledged = { number: number; at_ms: number };

/** No expectation, a bound against hanging. */
const patience_ms = 20_000;

export class Writers {
  /** In the order in which they came. */
  readonly acknowledged: Acknowledged[] = [];
  /** Refusals that are none of a server that starts or stops; each once. */
  readonly refusals = new Set<string>();
  /** Attempts whose outcome nobody knows: the connection ended without an answer. */
  unanswered = 0;
  readonly #protocol: Protocol;
  readonly #all: Promise<void>[];
  #next = 1;
  #stopped = false;

  constructor(protocol: Protocol, count: number) {
    this.#protocol = protocol;
    this.#all = Array.from({ length: count }, () => this.#write());
  }

  /** Each ends with the number that it is at. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#all);
  }

  /** The longest time without an acknowledgement between two instants, of which the first may lie within it. */
  longest_gap_ms(from_ms: number, to_ms: number): number {
    const before = this.acknowledged.findLast(({ at_ms }) => at_ms <= from_ms)?.at_ms ?? from_ms;
    const within = this.acknowledged.map(({ at_ms }) => at_ms).filter((at) => at > from_ms && at <= to_ms);
    return Math.max(...within.map((at_ms, index) => at_ms - (within[index - 1] ?? before)));
  }

  async #write(): Promise<void> {
    let connection: Connection | undefined;
    while (!this.#stopped) {
      try {
        connection ??= await Connection.open(this.#protocol);
        const number = this.#next++;
        await connection.ask(this.#protocol.write(number));
        this.acknowledged.push({ number, at_ms: performance.now() });
      } catch (error) {
        connection?.close();
        connection = undefined;
        if (!(error instanceof Refused)) this.unanswered++;
        else if (!this.#protocol.passing.test(error.message)) this.refusals.add(error.message);
        await sleep(5);
      }
    }
    connection?.close();
  }
}

class Refused extends Error {}

/** One question at a time. */
class Connection {
  readonly #socket: Socket;
  readonly #protocol: Protocol;
  #bytes: Buffer = Buffer.alloc(0);
  #asked: { resolve: () => void; reject: (error: Error) => void } | undefined;

  static async open(protocol: Protocol): Promise<Connection> {
    const connection = new Connection(protocol);
    try {
      await connection.ask(protocol.hello);
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }
  private constructor(protocol: Protocol) {
    this.#protocol = protocol;
    this.#socket = connect(protocol.address)
      .setNoDelay()
      .setTimeout(patience_ms, () => this.#socket.destroy())
      .on("error", () => {}) // "close" follows
      .on("close", () => this.#asked?.reject(new Error("the connection ended")))
      .on("data", (chunk: Buffer) => {
        this.#bytes = Buffer.concat([this.#bytes, chunk]);
        this.#look();
      });
  }

  /** Resolves when the server says yes. */
  async ask(question: Buffer): Promise<void> {
    if (this.#socket.destroyed) throw new Error("the connection has ended");
    const answered = new Promise<void>((resolve, reject) => (this.#asked = { resolve, reject }));
    this.#socket.write(question);
    await answered;
  }
  close(): void {
    this.#socket.destroy();
  }

  #look(): void {
    const answer = this.#protocol.answer(this.#bytes);
    if (answer === null) return;
    this.#bytes = this.#bytes.subarray(answer.length);
    if (answer.refusal === null) this.#asked?.resolve();
    else this.#asked?.reject(new Refused(answer.refusal));
  }
}

/** What is stored beside what was tried. lost: acknowledged, and not there. untold: there, and never acknowledged. */
export function compare(
  { acknowledged, refusals, unanswered }: Writers,
  numbers: readonly number[],
): { acknowledged: number; lost: number[]; untold: number } {
  const stored = new Set(numbers);
  assert.equal(stored.size, numbers.length, "no number is stored twice");
  assert.deepEqual([...refusals], [], "the server never refused a write");
  const lost = acknowledged.map(({ number }) => number).filter((number) => !stored.has(number));
  const untold = stored.size - (acknowledged.length - lost.length);
  assert.ok(untold <= unanswered, `${untold} more are stored than were tried, ${unanswered}`);
  return { acknowledged: acknowledged.length, lost, untold };
}
