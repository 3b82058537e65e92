import type { Clock } from "./world.ts";
import type { Ensemble } from "./zookeeper-ensemble.ts";
import type { Server } from "./zookeeper-server.ts";

/**
 * owner: the server that it came to last. picked: its time is over, and the thread that ends sessions will come to it,
 * whatever is heard of it meanwhile.
 */
type Tracked = { until_ns: bigint; picked: boolean; closing: boolean; owner: Server | null };

/** The leader's count of each session's time. */
export class Tracker {
  readonly #clock: Clock;
  readonly #ensemble: Ensemble;
  readonly #end: (id: bigint) => void;
  readonly #sessions = new Map<bigint, Tracked>();

  constructor(clock: Clock, ensemble: Ensemble, end: (id: bigint) => void) {
    this.#clock = clock;
    this.#ensemble = ensemble;
    this.#end = end;
  }

  begin(id: bigint, timeout_ms: number, owner: Server | null): void {
    this.#sessions.set(id, { until_ns: 0n, picked: false, closing: false, owner });
    this.touch(id, timeout_ms);
  }
  /** One that is not being ended. */
  find(id: bigint): Tracked | undefined {
    const tracked = this.#sessions.get(id);
    return tracked?.closing === false ? tracked : undefined;
  }
  close(id: bigint): void {
    const tracked = this.#sessions.get(id);
    if (tracked) tracked.closing = true;
  }
  /** Rounded up to the next multiple of tick. For one that is picked already it changes nothing. */
  touch(id: bigint, timeout_ms: number): void {
    const tracked = this.find(id);
    if (!tracked) return;
    const { tick_ns } = this.#ensemble;
    tracked.until_ns = ((this.#clock.now_ns() + BigInt(timeout_ms * 1e6)) / tick_ns + 1n) * tick_ns;
  }
  /** Each tick, while its server leads. */
  watch(leads: () => boolean): void {
    if (!leads()) return;
    const { tick_ns } = this.#ensemble;
    const now_ns = this.#clock.now_ns();
    for (const [id, tracked] of this.#sessions) {
      if (tracked.picked || tracked.until_ns > now_ns) continue;
      tracked.picked = true;
      this.#clock.after(this.#ensemble.expirer_late_ms(), () => !tracked.closing && this.#end(id), true);
    }
    this.#clock.after(Number(tick_ns - (now_ns % tick_ns)) / 1e6, () => this.watch(leads), true);
  }
}
