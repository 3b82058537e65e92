// A probe that stays, for what asks one often: a request of it costs a thirtieth of a job of its own (docs/decisions/0044).

import { guard_path, type JobEnd, type Service, start_service } from "./job.ts";
import {
  line_max_bytes,
  line_of,
  type Operation,
  type Probed,
  type ProbeOptions,
  request_of,
  run_probe,
} from "./probe.ts";
import { parse_probe, type ProbeResult } from "./probe-result.ts";

/** How the probe is started. Ends with this tenure, too, if there is one. */
export type ProberOptions = Pick<ProbeOptions, "tenure" | "page" | "guard">;

const ended_by_order: JobEnd = { how: "killed", why: "order" };

/**
 * Answers as run_probe() does. Whatever is late is killed with its process, and the next request has a new one: no answer comes after
 * its time, and none of a process that was slow once.
 */
export class Prober {
  readonly #options: ProberOptions;
  #process: Process | null = null;
  #closed = false;

  constructor(options: ProberOptions) {
    this.#options = options;
  }

  async run(operations: readonly Operation[], options: ProbeOptions): Promise<Probed> {
    if (this.#closed) return { end: ended_by_order, results: [] };
    // A job takes a line of any length.
    const too_long = line_of(operations).length > line_max_bytes;
    if (too_long || this.#process?.is_busy === true)
      return run_probe(operations, { ...options, by: undefined });
    if (this.#process?.is_over !== false) this.#process = new Process(this.#options);
    return this.#process.run(operations, Number(options.deadline_ns - options.now_ns()) / 1e6);
  }

  /** A request that is under way ends. */
  close(): void {
    this.#closed = true;
    this.#process?.end();
  }
}

type Request = { number: number; count: number; told: Buffer; answer: (probed: Probed) => void };

class Process {
  readonly #service: Promise<Service>;
  #requests = 0;
  #request: Request | null = null;
  #over = false;
  /** Why it is killed; null: it isn't. */
  #why: "deadline" | "order" | null = null;

  constructor(options: ProberOptions) {
    const { guard } = options;
    const command = [guard ?? guard_path(), "probe", "serve"];
    this.#service = start_service({ ...options, command }, (chunk) => this.#hear(chunk));
    void this.#service.then(async ({ ended }) => this.#finish(await ended));
  }

  get is_busy(): boolean {
    return !this.#over && this.#request !== null;
  }
  /** It takes no more requests. */
  get is_over(): boolean {
    return this.#over;
  }

  async run(operations: readonly Operation[], limit_ms: number): Promise<Probed> {
    const number = ++this.#requests;
    const answered = new Promise<Probed>((answer) => {
      this.#request = { number, count: operations.length, told: Buffer.alloc(0), answer };
    });
    const late = setTimeout(() => void this.#kill("deadline", number), Math.max(0, limit_ms));
    const { ask } = await this.#service;
    ask(request_of(number, operations));
    return answered.finally(() => clearTimeout(late));
  }

  end(): void {
    void this.#kill("order", this.#requests);
  }

  async #kill(why: "deadline" | "order", number: number): Promise<void> {
    if (this.#over || this.#requests !== number) return;
    if (why === "deadline" && this.#request === null) return;
    this.#over = true;
    this.#why = why;
    const { end } = await this.#service;
    this.#finish(await end());
  }

  /**
   * An answer is the request's by its number. Anything else that it says, and it isn't to be trusted. It is heard while it is killed,
   * too: when it was the controller that stood still, the answer has been here in time.
   */
  #hear(chunk: Buffer): void {
    const request = this.#request;
    if (request === null) return this.end(); // nobody has asked: it isn't to be trusted
    request.told = Buffer.concat([request.told, chunk]);
    const results = results_of(request);
    if (results === null) return this.end();
    const error = results.at(-1)?.error;
    if (error === undefined && results.length < request.count) return;
    this.#answer({ end: { how: "exit", value: error === undefined ? 0 : 1 }, results });
  }

  #finish(how: JobEnd): void {
    this.#over = true;
    const end: JobEnd = this.#why === null || how.how === "undead" ? how : { how: "killed", why: this.#why };
    this.#answer({ end, results: (this.#request && results_of(this.#request)) ?? [] });
  }

  #answer(probed: Probed): void {
    const request = this.#request;
    this.#request = null;
    request?.answer(probed);
  }
}

/** Those that are whole. null: it is no answer to this request, which its number tells. */
function results_of({ number, told }: Request): ProbeResult[] | null {
  const head = `${number}\n`;
  const begins = told.toString("latin1", 0, head.length);
  if (!head.startsWith(begins)) return null;
  return begins.length < head.length ? [] : parse_probe(told.subarray(head.length));
}
