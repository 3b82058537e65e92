// Asks one app again and again whether it is ready, and tells of it. What follows from that is the core's.

import type { Time } from "../core/time.ts";

export type ReadyWatchOptions = {
  /** One question. Never rejects: why the app isn't ready, or null. */
  ask: () => Promise<string | null>;
  /** From one question to the next while it is ready. */
  every_ms: number;
  time: Time;
  on_ready: () => void;
  /** With each reason while it isn't; of one that was, only when so many questions in a row said so. */
  on_unready: (because: string) => void;
};

/** While an app isn't ready somebody waits for it. */
const soon_ms = 250;

/** So many failures in a row take an app's readiness away: as in Kubernetes, one late answer is none. */
const misses_max = 3;

export class ReadyWatch {
  readonly #options: ReadyWatchOptions;
  #ready = false;
  #misses = 0;
  #ended = false;
  #take_back = (): void => {};

  /** The first question is asked at once. */
  constructor(options: ReadyWatchOptions) {
    this.#options = options;
    void this.#look();
  }

  end(): void {
    this.#ended = true;
    this.#take_back();
  }

  async #look(): Promise<void> {
    const { ask, every_ms, time, on_ready, on_unready } = this.#options;
    const because = await ask();
    if (this.#ended) return;
    this.#misses = because === null ? 0 : this.#misses + 1;
    if (because === null) {
      if (!this.#ready) on_ready();
      this.#ready = true;
    } else if (!this.#ready || this.#misses >= misses_max) {
      this.#ready = false;
      on_unready(because);
    }
    // on_ready may have ended it.
    if (!this.#has_ended())
      this.#take_back = time.after(because === null ? every_ms : Math.min(soon_ms, every_ms), () => {
        void this.#look();
      });
  }

  #has_ended(): boolean {
    return this.#ended;
  }
}
