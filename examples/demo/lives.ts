// When the copies of the store lived, in their own words (store.ts).

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Instants are nanoseconds of this machine's monotonic clock. */
export type Life = { token: bigint; node: string; begin_ns: bigint; last_ns: bigint };

/** In the order in which they began. */
export function read_lives(folder: string): Life[] {
  return readdirSync(folder)
    .flatMap((name): Life[] => {
      const [token = "", node = ""] = name.split("-");
      const bytes = readFileSync(join(folder, name));
      if (bytes.length < 16) return [];
      return [
        { token: BigInt(token), node, begin_ns: bytes.readBigUInt64LE(0), last_ns: bytes.readBigUInt64LE(8) },
      ];
    })
    .toSorted((a, b) => (a.begin_ns < b.begin_ns ? -1 : 1));
}

/** For how long two of them lived at the same time, the worst pair. */
export function overlap_ms(lives: readonly Life[]): number {
  let worst_ns = 0n;
  for (const [index, one] of lives.entries())
    for (const other of lives.slice(index + 1)) {
      const end_ns = one.last_ns < other.last_ns ? one.last_ns : other.last_ns;
      if (end_ns - other.begin_ns > worst_ns) worst_ns = end_ns - other.begin_ns;
    }
  return Number(worst_ns) / 1e6;
}

/** From the last sign of life of the last but one to the first one of the last. */
export function last_gap_ms(lives: readonly Life[]): number {
  const [before, after] = lives.slice(-2);
  return before && after ? Number(after.begin_ns - before.last_ns) / 1e6 : 0;
}
