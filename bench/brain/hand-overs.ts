// How soon the next app runs: from the last sign of life of one to the first one of the other, as the apps wrote it down.

import { setTimeout as sleep } from "node:timers/promises";
import type { Contender } from "../../test/support/contenders.ts";
import { in_parallel, type Line, median_at_most, type Row, times, worst_at_most } from "./line.ts";
import { type Kind, kinds, Scene } from "./scene.ts";
import { tick_ms, with_ends } from "./services.ts";

type Way = {
  what: string;
  ttl_ms: number;
  end: (first: Contender, kind: Kind) => void;
  limit: (kind: Kind) => NonNullable<Parameters<typeof times>[3]>;
  at_once: number;
  runs: { ours: number; others: number };
};

const lost_ttl_ms = 10_000;
const ways: Record<string, Way> = {
  killed: {
    what: "`kill -9` of the controller → other app starts, after the tree is empty, TTL 30 s",
    ttl_ms: 30_000,
    end: (first, kind) => first.signal("SIGKILL", kind.ours ? first.controller : first.outer),
    limit: () => median_at_most(300),
    at_once: 1,
    runs: { ours: 20, others: 3 },
  },
  stopped: {
    what: "SIGTERM → other app starts, after the first has stopped",
    ttl_ms: 30_000,
    end: (first) => first.signal("SIGTERM"),
    limit: () => median_at_most(25),
    at_once: 1,
    runs: { ours: 30, others: 10 },
  },
  gone: {
    what: "machine gone (all processes killed at once) → other app starts, TTL 10 s",
    ttl_ms: lost_ttl_ms,
    end: (first) => first.vanish(),
    limit: ({ backend }) =>
      backend === "etcd"
        ? worst_at_most(lost_ttl_ms + 1000, "worst ≤ TTL + 1 s")
        : worst_at_most(lost_ttl_ms + 3 * tick_ms, `worst ≤ T + 3·tick (tick ${tick_ms} ms)`),
    at_once: 10,
    runs: { ours: 20, others: 10 },
  },
};

/** null: it never came, within the lease and much more. */
async function once(kind: Kind, { ttl_ms, end }: Way): Promise<number | null> {
  return with_ends(async (ends) => {
    const scene = new Scene(ends, kind);
    const first = await scene.start({ ttl_ms });
    await scene.first();
    const second = await scene.start({ ttl_ms });
    await scene.waits(second);
    await sleep(500); // its watch is set
    end(first, kind);
    const life = await scene.tenure(2, ttl_ms + 15_000);
    return life === null ? null : scene.gap_ms();
  });
}

const row = (name: string, way: Way): Row => ({
  name,
  async measure(runs) {
    const lines: Line[] = [];
    for (const kind of kinds) {
      const count = runs(kind.ours ? way.runs.ours : way.runs.others);
      // Those beside us wait for the lease, whatever it was.
      const values = await in_parallel(count, kind.ours ? way.at_once : 10, async () => once(kind, way));
      lines.push(times(way.what, kind.who, values, kind.ours ? way.limit(kind) : undefined));
    }
    return { lines };
  },
});

export const hand_overs: readonly Row[] = Object.entries(ways).map(([name, way]) => row(name, way));
