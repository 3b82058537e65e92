// R4: what was seen of each instance, and for how long it hasn't changed. Pure: time is in the scenes.

import { clock_rate_bound } from "../../core/lease.ts";
import type { Scene } from "./scene.ts";

/** first_end_ns: the end of the first read that showed this content. newest_start_ns: the start of the newest one that did. */
type Sighting = {
  /** null: there was no beat. */
  bytes: string | null;
  first_end_ns: bigint;
  newest_start_ns: bigint;
  /** By its beat or the claim that names it; null: neither says. */
  tv_ms: number | null;
  state: "claiming" | "running" | "released" | "missing" | "unreadable";
  /** A claim names it. */
  claimed: boolean;
};

export class Sightings {
  readonly #view_age_ms: number;
  readonly #own: ReadonlySet<string>;
  readonly #all = new Map<string, Sighting>();

  /** view_age_ms: A, the greatest age of what a read shows. own: instances of this very process, which knows how they are. */
  constructor(view_age_ms: number, own: ReadonlySet<string>) {
    this.#view_age_ms = view_age_ms;
    this.#own = own;
  }

  see(scene: Scene): void {
    const all = new Set([...this.#all.keys(), ...scene.beats.keys(), ...scene.named.keys()]);
    for (const instance of all) if (!this.#own.has(instance)) this.#see_one(scene, instance);
  }

  #see_one(scene: Scene, instance: string): void {
    const known = this.#all.get(instance);
    const beat = scene.beats.get(instance);
    const claim = scene.named.get(instance);
    const claimed = claim !== undefined;
    const { start_ns: newest_start_ns, end_ns: first_end_ns } = scene;
    if (!beat && !claimed && (!known || known.state === "released")) return void this.#all.delete(instance);
    // Seen only unreadable, and then without a trace: by the volume's own length.
    const common_ms = beat || claimed ? null : (scene.identity?.value?.tv_ms ?? null);
    const tv_ms = beat?.value?.tv_ms ?? known?.tv_ms ?? claim?.tv_ms ?? common_ms;
    const state = beat ? (beat.value?.state ?? "unreadable") : "missing";
    const bytes = beat ? beat.bytes : null;
    // What can't be read counts as changed, each time; a beat that is only torn, by its bytes.
    const same = known?.bytes === bytes && (state !== "unreadable" || is_torn(bytes));
    const since = same ? known.first_end_ns : first_end_ns;
    this.#all.set(instance, { bytes, first_end_ns: since, newest_start_ns, tv_ms, state, claimed });
    // Seen alive, and now without a trace: it is waited for like one that a claim names, and then forgotten.
    if (!beat && !claimed && this.is_silent(instance)) this.#all.delete(instance);
  }

  /**
   * R4: the absence of a beat that a claim names counts from the first sight *after* our own claim was acknowledged. What was seen
   * missing before says nothing: its first beat may have been under way, of one that our claim doesn't stop yet.
   */
  forget_missing(): void {
    for (const [instance, { state, claimed }] of this.#all)
      if (state === "missing" && claimed) this.#all.delete(instance);
  }

  /** R4, as of the newest look. */
  is_silent(instance: string): boolean {
    const left_ns = this.silent_in_ns(instance);
    return left_ns !== null && left_ns <= 0n;
  }

  /** How much later than the newest look a look has to begin that shows it silent, if nothing changes; null: it can't be told. */
  silent_in_ns(instance: string): bigint | null {
    if (this.#own.has(instance)) return 0n;
    const one = this.#all.get(instance);
    if (one?.state === "released") return 0n;
    if (!one || one.tv_ms === null) return null;
    const length_ns = silence_ns(one.tv_ms) + (one.state === "missing" ? at_least_ns(this.#view_age_ms) : 0n);
    const left_ns = length_ns - (one.newest_start_ns - one.first_end_ns);
    // Until then it may be an incumbent, who stays.
    return one.state === "unreadable" && left_ns > 0n ? null : left_ns;
  }

  /** It can't be used, and never will be silent: its bytes say nothing, or neither it nor a claim has said how long its lease is. */
  is_hopeless(instance: string): boolean {
    const one = this.#all.get(instance);
    return one?.state === "unreadable" && (one.tv_ms === null || !is_torn(one.bytes));
  }

  /** No proof of this instance's was asked for after that; null: it was never seen. */
  last_seen_ns(instance: string): bigint | null {
    return this.#all.get(instance)?.first_end_ns ?? null;
  }

  get instances(): IterableIterator<string> {
    return this.#all.keys();
  }
  state_of(instance: string): Sighting["state"] | null {
    return this.#all.get(instance)?.state ?? null;
  }
}

/**
 * It begins as a beat does, with a checksum over all of it, which differs from beat to beat: where the bytes are the same, nothing was
 * written. A machine that dies while it writes may leave such a one for good.
 */
function is_torn(bytes: string | null): boolean {
  return bytes !== null && /^[0-9a-f]{8} \{/.test(bytes);
}

/** tv·(1+ρ): by then an instance's deadline is past, whichever of the two clocks runs faster. */
export function silence_ns(tv_ms: number): bigint {
  return at_least_ns(tv_ms * (1 + clock_rate_bound));
}

/** Whole nanoseconds, rounded up: to wait longer is the safe side. */
export function at_least_ns(duration_ms: number): bigint {
  return BigInt(Math.ceil(duration_ms * 1e6));
}
