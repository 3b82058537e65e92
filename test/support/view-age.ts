// How old a view through one mount of what was written through another can be: a lower bound for A of the volume lease, by
// the lease's own store. "Old" counts from the moment at which the writer's call had returned.

import { mkdirSync, readFileSync } from "node:fs";
import { hrtime } from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { leasehold_folder } from "../../src/storage/identity.ts";
import { ProbeStore } from "../../src/storage/lease/probe-store.ts";
import { guard } from "./hand.ts";

/**
 * listing: names that a listing lacked. content: of a file that is overwritten in place. by_name: a new file, looked for by its
 * name alone until it is there, which a lease doesn't.
 */
type View = "listing" | "content" | "by_name";
type Seen = { worst_ms: number; looks: number; stale: number };
export type Ages = Record<View, Seen>;

type Pace = { change_ms: number; look_ms: number; lasts_ms: number };

/** Two mounts of one empty volume, or a folder of it. Changes and looks are not in step. by_name is measured after the rest. */
export async function view_ages(writer: string, reader: string, pace: Pace): Promise<Ages> {
  mkdirSync(`${writer}/${leasehold_folder}`);
  const clock = new BootClock();
  const [from, to] = [writer, reader].map(
    (path) => new ProbeStore({ path, time: clock, limit_ms: 60_000, guard }),
  );
  if (!from || !to) throw new Error("unreachable");
  /** When each was there: the n-th content of the beat, the n-th claim. */
  const beats: bigint[] = [];
  const claims: bigint[] = [];
  const change = async (): Promise<void> => {
    const beat = Buffer.from(String(beats.length).padEnd(4096));
    const claim = { name: `${claims.length}.claim`, temporary: "new", content: beat };
    const pass = await from.pass([
      { do: "write", name: "beat", content: beat },
      { do: "create", ...claim },
    ]);
    if ("exists" in pass) throw new Error(`${pass.exists} is there already`);
    const [beat_ns = 0n, claim_ns = 0n] = pass.written_ns;
    beats.push(beat_ns);
    claims.push(claim_ns);
  };

  const ages: Ages = { listing: unseen(), content: unseen(), by_name: unseen() };
  /** shown: how many it showed of those that were made; the first one that it lacks tells how old it was. */
  const note = (view: View, made: readonly bigint[], shown: number, start_ns: bigint): void => {
    const seen = ages[view];
    seen.looks++;
    const missed_ns = made[shown];
    if (missed_ns === undefined || missed_ns > start_ns) return;
    seen.stale++;
    seen.worst_ms = Math.max(seen.worst_ms, Number(start_ns - missed_ns) / 1e6);
  };
  const look = async (): Promise<void> => {
    const pass = await to.pass([]);
    if ("exists" in pass) throw new Error("unreachable");
    const { files, start_ns } = pass.view;
    const listed = new Set(files.map(({ name }) => name));
    let shown = 0;
    while (listed.has(`${shown}.claim`)) shown++;
    note("listing", claims, shown, start_ns);
    const beat = files.find(({ name }) => name === "beat");
    note("content", beats, Number(beat?.content.toString("latin1").trim()) + 1, start_ns);
  };
  let sought = 0;
  const look_by_name = (): void => {
    const start_ns = clock.now_ns();
    try {
      readFileSync(`${reader}/${leasehold_folder}/${sought}.claim`);
      note("by_name", claims, sought + 1, start_ns);
      sought = claims.length;
    } catch {
      note("by_name", claims, sought, start_ns);
    }
  };

  await change();
  for (const act of [look, look_by_name]) {
    sought = claims.length;
    const end = performance.now() + pace.lasts_ms;
    const every = async (period_ms: number, turn: () => Promise<void> | void): Promise<void> => {
      while (performance.now() < end) {
        // Not in step with anything's cache either.
        await sleep(period_ms * (0.75 + Math.random() / 2));
        await turn();
      }
    };
    await Promise.all([every(pace.change_ms, change), every(pace.look_ms, act)]);
  }
  return ages;
}

const unseen = (): Seen => ({ worst_ms: 0, looks: 0, stale: 0 });

/** As long as this machine doesn't sleep. */
class BootClock {
  readonly #offset_ns =
    BigInt(Math.round(Number(readFileSync("/proc/uptime", "latin1").split(" ")[0]) * 1000)) * 1_000_000n -
    hrtime.bigint();
  now_ns(): bigint {
    return hrtime.bigint() + this.#offset_ns;
  }
}
