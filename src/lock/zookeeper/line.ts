import { ms_to_ns } from "../../core/time.ts";
import { few, hesitation_ms } from "../crowd.ts";
import type { LockOptions } from "../lock.ts";
import type { ZooKeeperConnection } from "./api.ts";

type LineOptions = Pick<LockOptions, "time" | "ttl_ms" | "random">;

/** A crowd lists itself so seldom that all of it together lists one name in a millisecond at most. */
const list_ms = (contenders: number): number => contenders * 1000;
/** Of those in front, the holder perhaps among them. */
const front = few - 1;
/** Those who are behind leave the lock to those in front for so long. */
const behind_ms = 1000;

/**
 * Where a standby is among the others. The first few, by name, are in front: they watch each renewal, keep their connection
 * young (warmth.ts), and ask at once when the lock is free. Each of the others watches only one who is a few places before it,
 * and looks where it is when that one has gone. So whoever is the first of those behind has somebody in front before it, or
 * is told; and a hand-over wakes nobody but those in front.
 */
export class Line {
  readonly #contenders: string;
  readonly #name: string;
  readonly #options: LineOptions;
  #count = 0;
  #front = true;
  #ahead: string | null = null;
  #look_at_ns: bigint | null = null;
  #list_at_ns: bigint | null = null;

  /** node: ours, below `contenders`. */
  constructor(contenders: string, node: string, options: LineOptions) {
    this.#contenders = contenders;
    this.#name = node.slice(contenders.length + 1);
    this.#options = options;
  }

  get front(): boolean {
    return this.#front;
  }
  /** The node of the one to watch; null: in front, or not in the line. */
  get ahead(): string | null {
    return this.#ahead;
  }

  /** Before asking for a lock that is free. */
  hesitation_ms(): number {
    return this.#front ? 0 : behind_ms + hesitation_ms(this.#count, this.#options.random);
  }

  /** The one ahead has gone. */
  moved(): void {
    this.#look_at_ns = null;
    this.#list_at_ns = null;
  }

  /** Looks again, when it is due. */
  async look(connection: ZooKeeperConnection): Promise<void> {
    const now_ns = this.#options.time.now_ns();
    if (this.#look_at_ns !== null && now_ns < this.#look_at_ns) return;
    const stat = await connection.exists(this.#contenders);
    this.#count = stat === "no-node" ? 0 : stat.children;
    this.#look_at_ns = now_ns + ms_to_ns(this.#options.ttl_ms);
    if (this.#count <= few) [this.#front, this.#ahead] = [true, null];
    else if (this.#list_at_ns === null || now_ns >= this.#list_at_ns) {
      await this.#list(connection);
      this.#list_at_ns = now_ns + ms_to_ns(list_ms(this.#count));
    }
  }

  async #list(connection: ZooKeeperConnection): Promise<void> {
    const names = await connection.children(this.#contenders);
    const line = names === "no-node" ? [] : names.toSorted();
    const place = line.indexOf(this.#name);
    this.#front = place >= 0 && place < front;
    const ahead = line[place - front];
    this.#ahead = this.#front || ahead === undefined ? null : `${this.#contenders}/${ahead}`;
  }
}
