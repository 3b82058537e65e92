// Contenders on one volume under faults of all kinds at random moments: 200 runs on file:, 100 on etcd with a volume, 100 on an
// etcd that grants the lock twice. Never two apps.
//
//   LEASEHOLD_TEST_RUNS  instead of 200 and 100
//   LEASEHOLD_TEST_SEED  of the first run; with RUNS=1 that run's decisions again
//   LEASEHOLD_TEST_FAULT only the locks whose name contains this: file, etcd, twice

import { randomInt } from "node:crypto";
import { test } from "node:test";
import { type MixedLock, type MixedTally, mixed_run } from "../support/mixed-faults.ts";
import { requires } from "../support/requires.ts";

const seed = Number(process.env.LEASEHOLD_TEST_SEED ?? randomInt(2 ** 30));
const given = process.env.LEASEHOLD_TEST_RUNS;
const only = process.env.LEASEHOLD_TEST_FAULT ?? "";
const faults = 6;

const all: Record<MixedLock, number> = { file: 200, etcd: 100, twice: 100 };

for (const [name, runs] of Object.entries(all)) {
  const lock = name as MixedLock;
  if (!lock.includes(only)) continue;
  // Most of it is waiting for leases to end.
  test(`mixed faults on ${lock}`, { concurrency: 6 }, async (t) => {
    if (!requires(t, "root", "bindfs", ...(lock === "file" ? [] : (["etcd", "etcdctl"] as const)))) return;
    const tallies: MixedTally[] = [];
    const each = Array.from({ length: Number(given ?? runs) }, (_, run) =>
      t.test(`seed ${seed + run}`, async (t) => {
        tallies.push(await mixed_run(t, { lock, seed: seed + run, faults }));
      }),
    );
    await Promise.all(each);
    const sum = (of: (tally: MixedTally) => number): number =>
      tallies.reduce((total, tally) => total + of(tally), 0);
    const struck = new Map<string, number>();
    for (const tally of tallies)
      for (const [what, times] of tally.struck) struck.set(what, (struck.get(what) ?? 0) + times);
    const gaps = tallies.flatMap(({ gaps_ms }) => gaps_ms).toSorted((a, b) => a - b);
    const twice = tallies.filter(({ granted_twice }) => granted_twice > 0).length;
    t.diagnostic(
      `${tallies.length} runs from seed ${seed}: overlap 0 ms, ${sum(({ tenures }) => tenures)} tenures, ` +
        `median gap ${(gaps[Math.floor(gaps.length / 2)] ?? 0).toFixed(0)} ms, the lock seen granted twice in ${twice}`,
    );
    t.diagnostic([...struck].map(([what, times]) => `${what} ${times}`).join(", "));
  });
}
