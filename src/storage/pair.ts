// Measures A of the volume lease: how old a view through one mount may be of what was written through another.

import { quoted } from "../config/quoted.ts";
import { ms_between, ms_to_ns, type Time } from "../core/time.ts";
import { type Operation, run_probe } from "../guard/probe.ts";
import type { ProbeResult } from "../guard/probe-result.ts";
import { leasehold_folder } from "./identity.ts";
import type { JobKind } from "./probing.ts";

/** age_ms: of the oldest view that was seen, from the end of a write to the begin of a look that didn't show it yet. */
export type Ages = { rounds: number; looks: number; age_ms: number };

/** How long a look may take, and after how long without the change it is given up. */
const limit_ms = 10_000;
const patience_ms = 120_000;

/**
 * For so long: changes a file in place and makes a new one by `writer`, then looks by `reader`, as the volume lease does, until both
 * show. Rests between the rounds are short and long, because caches grow older when nothing changes. A string: why it failed.
 */
export async function measure_ages(
  writer: string,
  reader: string,
  options: { for_ms: number; name: string; time: Time; job?: JobKind },
): Promise<Ages | string> {
  const { time, name, for_ms } = options;
  const run = async (operations: readonly Operation[]): Promise<ProbeResult[] | string> => {
    const deadline_ns = time.now_ns() + ms_to_ns(limit_ms);
    const { results } = await run_probe(operations, {
      deadline_ns,
      now_ns: () => time.now_ns(),
      ...options.job,
    });
    const failed = results.find(({ error }) => error !== undefined);
    if (failed) return `${failed.step}: ${failed.error}`;
    return results.length === operations.length ? results : `no answer within ${limit_ms / 1000} s`;
  };
  const [there, here] = [`${writer}/${leasehold_folder}`, `${reader}/${leasehold_folder}`];
  const file = `${name}.probe`;
  const ages: Ages = { rounds: 0, looks: 0, age_ms: 0 };
  const end_ns = time.now_ns() + ms_to_ns(for_ms);
  while (time.now_ns() < end_ns) {
    ages.rounds++;
    const content = Buffer.from(`round ${String(ages.rounds).padStart(9)}\n`);
    const fresh = `${name}-${ages.rounds}.probe`;
    const written = await run([
      { do: "write", path: `${there}/${file}`, content },
      { do: "write", path: `${there}/${fresh}`, content },
    ]);
    if (typeof written === "string") return `writing by ${quoted(writer)} failed (${written})`;
    for (const started_ns = time.now_ns(); ;) {
      const seen = await run([
        { do: "list", path: here, max: 100_000 },
        { do: "read", path: `${here}/${file}`, max: 100 },
      ]);
      // The first time it may not be there for the other mount at all.
      if (typeof seen === "string" && !seen.includes("ENOENT"))
        return `looking by ${quoted(reader)} failed (${seen})`;
      ages.looks++;
      const [listed, read] = typeof seen === "string" ? [] : seen;
      const [in_place, made] = written;
      const has_both =
        read?.content.equals(content) === true &&
        listed?.content.toString().split("\0").includes(fresh) === true;
      if (has_both) break;
      const begun_ns = listed?.start_ns ?? time.now_ns();
      const since_ns = read?.content.equals(content) === true ? made?.end_ns : in_place?.end_ns;
      ages.age_ms = Math.max(ages.age_ms, ms_between(since_ns ?? begun_ns, begun_ns));
      if (ms_between(started_ns, time.now_ns()) > patience_ms)
        return `a change by ${quoted(writer)} is not seen by ${quoted(reader)} after ${patience_ms / 1000} s: are they the same volume?`;
    }
    const removed = await run([{ do: "unlink", path: `${there}/${fresh}` }]);
    if (typeof removed === "string") return `writing by ${quoted(writer)} failed (${removed})`;
    const rest_ms = ages.rounds % 5 === 0 ? Math.min(20_000, for_ms / 4) : 200;
    await new Promise<void>((resolve) => time.after(rest_ms, resolve));
  }
  await run([{ do: "unlink", path: `${there}/${file}` }]);
  return ages;
}
