import { ms_between, type Time } from "../core/time.ts";

/**
 * When the holder before us was last seen to renew. A standby watches the lock, and each proof changes it, so the last change
 * that it hears of comes after that proof was asked for. Only an unbroken watch says that there was no later one: what is
 * merely found gone may have been renewed until a moment ago.
 */
export class Sighting {
  readonly #time: Time;
  #token: bigint | undefined;
  #change: bigint | undefined;
  #at_ns = 0n;
  #seen_to_end = false;

  constructor(time: Time) {
    this.#time = time;
  }

  /** The lock, of this token, as a look or a watch shows it. change: what grows with each proof; undefined: not known. */
  see(token: bigint, change?: bigint): void {
    if (token === this.#token && change !== undefined && change === this.#change) return;
    this.#token = token;
    this.#change = change;
    this.#at_ns = this.#time.now_ns();
    this.#seen_to_end = false;
  }

  /** Since the last change; 0: none was seen. */
  get silent_ms(): number {
    return this.#token === undefined ? 0 : ms_between(this.#at_ns, this.#time.now_ns());
  }

  /** The watch that has shown all its changes tells that it is gone. */
  ended(): void {
    this.#seen_to_end = true;
  }

  /** The last change that we know of, where its watch has not told of the end; null: none is known, or it has. */
  get unfinished(): bigint | null {
    return this.#seen_to_end ? null : (this.#change ?? null);
  }

  /** No proof of this token was asked for after that. */
  last_of(token: bigint | null): bigint {
    return token !== null && token === this.#token && this.#seen_to_end ? this.#at_ns : this.#time.now_ns();
  }
}
