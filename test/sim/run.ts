// npm run sim -- --seeds N [--seed S] [--lock memory|etcd|zookeeper] [--jobs N] [--verbose]

import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { lock_models, simulate, type LockModel } from "./simulate.ts";

type Share = { lock: LockModel; from: number; to: number; by: number; verbose: boolean };
type Report = { starts: number; violation: string | null };

/** One thread's seeds. Ends with the first that goes wrong. */
async function run({ lock, from, to, by, verbose }: Share): Promise<Report> {
  let starts = 0;
  for (let seed = from; seed < to; seed += by) {
    const result = await simulate(seed, lock);
    starts += result.starts;
    if (verbose || result.violation !== null) console.log(result.log.join("\n"));
    if (result.violation !== null)
      return { starts, violation: `${result.violation}\nnpm run sim -- --lock ${lock} --seed ${seed}` };
  }
  return { starts, violation: null };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string", default: "1000" },
      seed: { type: "string" },
      lock: { type: "string" },
      jobs: { type: "string", default: String(availableParallelism()) },
      verbose: { type: "boolean", default: false },
    },
  });
  const models = lock_models.filter((model) => values.lock === undefined || values.lock === model);
  if (models.length === 0) throw new Error(`--lock is one of ${lock_models.join(", ")}`);
  const verbose = values.verbose;
  const began = performance.now();
  let starts = 0;
  for (const lock of models) {
    const shares: Share[] =
      values.seed === undefined
        ? Array.from({ length: Number(values.jobs) }, (_, job) => ({
            ...{ lock, verbose, from: 1 + job, by: Number(values.jobs) },
            to: 1 + Math.ceil(Number(values.seeds) / models.length),
          }))
        : [{ lock, verbose, from: Number(values.seed), to: Number(values.seed) + 1, by: 1 }];
    for (const report of await Promise.all(shares.map(in_thread))) {
      starts += report.starts;
      if (report.violation === null) continue;
      console.log(`\n${report.violation}`);
      process.exit(1);
    }
  }
  const seeds = values.seed === undefined ? `${values.seeds} seeds` : `seed ${values.seed}`;
  const s = ((performance.now() - began) / 1000).toFixed(1);
  console.log(`${seeds} of ${models.join(", ")}: ${starts} starts of an app, no violation, ${s} s`);
}

function in_thread(share: Share): Promise<Report> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: share });
    worker.once("message", resolve);
    worker.once("error", reject);
  });
}

if (isMainThread) await main();
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
else parentPort?.postMessage(await run(workerData as Share));
