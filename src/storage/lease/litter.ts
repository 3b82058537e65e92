import { name_of } from "./format.ts";
import type { Scene } from "./scene.ts";

/**
 * What contenders that crashed have left beside the lock: registrations that nobody renews, temporary files. The rules know nothing
 * of them, so that nothing depends on when they go.
 */
export class Litter {
  #all = new Map<string, { bytes: string; since_ns: bigint }>();

  see({ standbys, temporaries, end_ns }: Scene): void {
    const there = new Map(temporaries.map((instance) => [name_of.temporary(instance), ""]));
    for (const [instance, { bytes }] of standbys) there.set(name_of.standby(instance), bytes);
    const known = this.#all;
    this.#all = new Map();
    for (const [name, bytes] of there) {
      const old = known.get(name);
      this.#all.set(name, old?.bytes === bytes ? old : { bytes, since_ns: end_ns });
    }
  }

  /** The names of what hasn't changed for so long. */
  older_than(age_ns: bigint, { start_ns }: Scene): string[] {
    return [...this.#all].flatMap(([name, { since_ns }]) => (start_ns - since_ns > age_ns ? [name] : []));
  }
}
