import { ms_to_ns } from "../../core/time.ts";
import { few, hesitation_ms } from "../crowd.ts";
import type { LockOptions } from "../lock.ts";
import type { ZooKeeperConnection } from "./api.ts";

type LineOptions = Pick<LockOptions, "time" | "ttl_ms" | "random">;

/** A crowd lists itself so seldom that all of it together lists one name in a millisecond at most. */
const list_ms = (contenders: number): number => contenders * 1000;
/** Those who are behind leave the lock to those in front for so long. */
const behind_ms = 100;

/**
 * Where a standby is among the others. The first few, by name, are in front: they watch each renewal, keep their connection
 * young (warmth.ts), and ask at once when the lock is free. All others cost the servers next to nothing until then.
 */
export class Line {
  readonly #contenders: string;
  readonly #name: string;
  readonly #options: LineOptions;
  #count = 0;
  #front = true;
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

  /** Before asking for a lock that is free. */
  hesitation_ms(): number {
    return this.#front ? 0 : behind_ms + hesitation_ms(this.#count, this.#options.random);
  }

  /** Looks again, when it is due. */
  async look(connection: ZooKeeperConnection): Promise<void> {
    const now_ns = this.#options.time.now_ns();
    if (this.#look_at_ns !== null && now_ns < this.#look_at_ns) return;
    const stat = await connection.exists(this.#contenders);
    this.#count = stat === "no-node" ? 0 : stat.children;
    this.#look_at_ns = now_ns + ms_to_ns(this.#options.ttl_ms);
    if (this.#count <= few) this.#front = true;
    else if (this.#list_at_ns === null || now_ns >= this.#list_at_ns) {
      const names = await connection.children(this.#contenders);
      const place = names === "no-node" ? 0 : names.toSorted().indexOf(this.#name);
      this.#front = place >= 0 && place < few - 1;
      this.#list_at_ns = now_ns + ms_to_ns(list_ms(this.#count));
    }
  }
}
