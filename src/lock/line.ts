import { ms_to_ns } from "../core/time.ts";
import { few, hesitation_ms } from "./crowd.ts";
import type { LockOptions } from "./lock.ts";

type LineOptions = Pick<LockOptions, "time" | "ttl_ms" | "random">;
/** Those who are registered beside the lock, the holder perhaps among them: how many, and their names. */
export type Contenders = { count: () => Promise<number>; names: () => Promise<string[]> };

/** A crowd lists itself so seldom that all of it together lists one name in a millisecond at most. */
const list_ms = (contenders: number): number => contenders * 1000;
/** Of those in front, the holder perhaps among them. */
const front = few - 1;
/** Each of those in front leaves the lock so long to the one before it. */
const next_ms = 25;
/** Those who are behind leave the lock to those in front for so long. */
const behind_ms = 1000;

/**
 * Where a standby is among the others. The first few, by name, are in front: they watch each renewal, and ask when the lock is
 * free, at once or one shortly after the other (in ZooKeeper they keep their connection young, too). Each of the others watches
 * only one who is a few places before it, and looks where it is when that one has gone. So whoever is the first of those behind
 * has somebody in front before it, or is told; and a hand-over wakes nobody but those in front.
 */
export class Line {
  readonly #name: string;
  readonly #options: LineOptions;
  #count = 0;
  #front = true;
  /** Of a crowd, if we are in front: those before us. */
  #before: readonly string[] = [];
  #ahead: string | null = null;
  #look_at_ns: bigint | null = null;
  #list_at_ns: bigint | null = null;

  /** name: ours among them. */
  constructor(name: string, options: LineOptions) {
    this.#name = name;
    this.#options = options;
  }

  get front(): boolean {
    return this.#front;
  }
  /** The name of the one to watch; null: in front, or not in the line. */
  get ahead(): string | null {
    return this.#ahead;
  }

  /**
   * Before asking for a lock that is free. holder: who had it, which isn't in the way now; without it, those in front ask at the
   * same time.
   */
  hesitation_ms(holder?: string): number {
    if (this.#front)
      return holder === undefined ? 0 : next_ms * this.#before.filter((name) => name !== holder).length;
    return behind_ms + hesitation_ms(this.#count, this.#options.random);
  }

  /** The one ahead has gone. */
  moved(): void {
    this.#ahead = null;
    this.#look_at_ns = null;
    this.#list_at_ns = null;
  }

  /** Looks again, when it is due. */
  async look(contenders: Contenders): Promise<void> {
    const now_ns = this.#options.time.now_ns();
    if (this.#look_at_ns !== null && now_ns < this.#look_at_ns) return;
    this.#count = await contenders.count();
    this.#look_at_ns = now_ns + ms_to_ns(this.#options.ttl_ms);
    if (this.#count <= few) [this.#front, this.#before, this.#ahead] = [true, [], null];
    else if (this.#list_at_ns === null || now_ns >= this.#list_at_ns) {
      const listed = this.#find((await contenders.names()).toSorted());
      this.#list_at_ns = listed ? now_ns + ms_to_ns(list_ms(this.#count)) : null;
    }
  }

  /** false: we aren't registered yet, or not any more. */
  #find(line: string[]): boolean {
    const place = line.indexOf(this.#name);
    this.#front = place >= 0 && place < front;
    this.#before = this.#front ? line.slice(0, place) : [];
    this.#ahead = this.#front ? null : (line[place - front] ?? null);
    return place >= 0;
  }
}
