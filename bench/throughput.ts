// What leasehold costs a database: the same load on the same data with and without it, one run after the other, in pairs.
//
// It is a row of `npm run bench:brain`; by itself it also takes
//
//   --pairs N     of each load (5)
//   --seconds N   of each run (6)
//   --only NAME   one database; may be repeated
//   --control     without leasehold on both sides: what the figures are worth on this machine
//
// It ends with 1 when a ratio is below 0.99, but for the control. It needs root, and an idle machine.

import { parseArgs } from "node:util";
import { type Row, table } from "./brain/line.ts";
import { compare, pgbench, postgres_with, redis_with, type Subject } from "./paired.ts";

/** Settings over those of the tests, which want small files and much ado about them. */
const subjects: readonly Subject[] = [
  postgres_with(
    20,
    ["shared_buffers=512MB", "max_wal_size=8GB", "checkpoint_timeout=1h"],
    [
      { name: "pgbench, read only", per_second: pgbench("-S") },
      { name: "pgbench, TPC-B-like", per_second: pgbench() },
    ],
  ),
  redis_with(["set", "get"]),
];

export const throughput: readonly Row[] = [
  {
    name: "throughput",
    measure: async (runs) => ({
      lines: await compare({ pairs: runs(5), seconds: 6, control: false }, subjects),
      notes: [
        "Of `throughput`, *median* is the geometric mean of the pairs' ratios with its standard error, *least* and *worst* are the extremes of the pairs; in parentheses are the medians.",
      ],
    }),
  },
];

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      pairs: { type: "string", default: "5" },
      seconds: { type: "string", default: "6" },
      only: { type: "string", multiple: true, default: [] },
      control: { type: "boolean", default: false },
    },
  });
  const names = subjects.map(({ database }) => database.name);
  const unknown = values.only.filter((name) => !names.includes(name));
  if (unknown.length > 0) throw new Error(`no database ${unknown.join(", ")}; there are ${names.join(", ")}`);
  const plan = { pairs: Number(values.pairs), seconds: Number(values.seconds), control: values.control };
  const chosen = subjects.filter(
    ({ database }) => values.only.length === 0 || values.only.includes(database.name),
  );
  const lines = await compare(plan, chosen);
  console.log(table(lines));
  if (lines.some(({ reached }) => reached === false)) process.exitCode = 1;
}
