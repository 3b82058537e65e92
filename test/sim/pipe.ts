import type { Clock, World } from "./world.ts";

type Sent = { at_ns: bigint; what: () => void };
export type PipeOptions = {
  to: Clock;
  delay_ms: () => number;
  /** While it is: nothing gets through, and all of it later. */
  blocked: () => boolean;
  /** Nobody but other servers is told: no promise settles. */
  quiet: boolean;
};

/** One direction of a TCP connection: in order, late, and after an interruption all that was held up. */
export class Pipe {
  readonly #world: World;
  readonly #options: PipeOptions;
  #sent: Sent[] = [];

  constructor(world: World, options: PipeOptions) {
    this.#world = world;
    this.#options = options;
  }
  send(what: () => void): void {
    const at_ns = this.#world.now_ns + BigInt(Math.ceil(this.#options.delay_ms() * 1e6));
    if (this.#sent.push({ at_ns, what }) === 1) this.#carry(0);
  }
  /** What is under way never arrives. */
  break(): void {
    this.#sent = [];
  }

  #carry(wait_ms: number): void {
    const sent = this.#sent;
    const [first] = sent;
    if (!first) return;
    const { to, blocked, quiet } = this.#options;
    const delay_ms = Math.max(wait_ms, Number(first.at_ns - this.#world.now_ns) / 1e6);
    const arrive = (): void => {
      if (this.#sent !== sent) return;
      // As TCP sends it again.
      if (blocked()) return this.#carry(this.#world.random.between(100, 400));
      sent.shift();
      this.#carry(0);
      to.run(first.what);
    };
    this.#world.after(delay_ms, arrive, quiet);
  }
}
