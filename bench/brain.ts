// npm run bench:brain: the figures of a whole contender, on real servers, beside `etcdctl lock` and a kazoo wrapper.
// docs/benchmarks.md says what they mean. All rows take about an hour and a half.
//
//   --only NAME   one row; may be repeated
//   --quick       a tenth of the runs
//   --write       into docs/benchmarks.md, where these rows' figures take the place of their last ones
//
// It ends with 1 when something that was asked for is not reached.

import { readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { missing } from "../tools/debian.ts";
import { backups } from "./backups.ts";
import { type Line, table } from "./brain/line.ts";
import { costs } from "./brain/costs.ts";
import { fail_over } from "./brain/fail-over.ts";
import { hand_overs } from "./brain/hand-overs.ts";
import { losses } from "./brain/losses.ts";
import { lost_volumes } from "./brain/lost-volumes.ts";
import { short_faults } from "./brain/short-faults.ts";
import { on_volumes } from "./brain/volume.ts";
import { standbys } from "./brain/standbys.ts";
import { whole_run } from "./brain/services.ts";
import { written } from "./brain/written.ts";
import { on_network_volumes } from "./network-volumes.ts";
import { throughput } from "./throughput.ts";

const rows = [
  ...losses,
  ...lost_volumes,
  ...hand_overs,
  ...short_faults,
  ...costs,
  ...standbys,
  ...on_volumes,
  ...throughput,
  ...on_network_volumes,
  ...backups,
  ...fail_over,
];
/** A row that takes longer hangs. */
const row_limit_ms = 20 * 60_000;
const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true, default: [] },
    quick: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
  },
});
const names = rows.map((row) => row.name);
const unknown = values.only.filter((name) => !names.includes(name));
if (unknown.length > 0) throw new Error(`no row ${unknown.join(", ")}; there are ${names.join(", ")}`);
if (values.write && values.quick) throw new Error("--write wants its rows in full");
const lacking = (
  [
    "etcd",
    "etcdctl",
    "java",
    "zookeeper",
    "kazoo",
    "postgres",
    "redis-server",
    "redis-cli",
    "setpriv",
    "strace",
    "mkfs.ext4",
    "bindfs",
    "zstd",
  ] as const
)
  .map((tool) => missing(tool))
  .filter((reason) => reason !== null);
if (lacking.length > 0) throw new Error(`${lacking.join("; ")}: node tools/debian.ts installs it`);

const machine = [
  `${cpus().length} cores (${cpus()[0]?.model.trim() ?? "unknown"})`,
  `${Math.round(totalmem() / 2 ** 30)} GiB`,
  `Linux ${release()}`,
].join(", ");

const page = join(import.meta.dirname, "../docs/benchmarks.md");
let reached = true;
try {
  for (const { name, measure } of rows) {
    if (values.only.length > 0 && !values.only.includes(name)) continue;
    const before = `load ${loadavg()[0]?.toFixed(2) ?? "unknown"} before the start`;
    const began = performance.now();
    const limit = new Promise<never>((_, reject) => {
      const late = () => reject(new Error(`${name} takes longer than ${row_limit_ms / 60_000} minutes`));
      setTimeout(late, row_limit_ms).unref();
    });
    const measuring = measure((full) => (values.quick ? Math.ceil(full / 10) : full));
    const { lines, notes = [] } = await Promise.race([measuring, limit]);
    const took = `${Math.ceil((performance.now() - began) / 1000)} s`;
    const text = [`**${name}** (${machine}, ${before}; ${took}).`, table(lines), ...notes].join("\n\n");
    console.log(`${text}\n`);
    if (values.write) {
      const order = rows.map((row) => row.name);
      writeFileSync(page, written(readFileSync(page, "utf8"), { name, text }, order));
    }
    reached &&= !lines.some((line: Line) => line.reached === false);
  }
} finally {
  await whole_run.end();
}
process.exit(reached ? 0 : 1); // a row that failed may have left something that would go on
