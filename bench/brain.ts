// npm run bench:brain: the figures of a whole contender, on real servers, beside `etcdctl lock` and a kazoo wrapper.
// docs/benchmarks.md says what they mean.
//
//   --only NAME   one row; may be repeated
//   --quick       a tenth of the runs
//   --write       all rows, into docs/benchmarks.md
//
// It ends with 1 when something that was asked for is not reached.

import { readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { missing } from "../tools/debian.ts";
import { type Line, table } from "./brain/line.ts";
import { costs } from "./brain/costs.ts";
import { hand_overs } from "./brain/hand-overs.ts";
import { losses } from "./brain/losses.ts";
import { short_faults } from "./brain/short-faults.ts";
import { standbys } from "./brain/standbys.ts";
import { whole_run } from "./brain/services.ts";

const rows = [...losses, ...hand_overs, ...short_faults, ...costs, ...standbys];
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
if (values.write && (values.quick || values.only.length > 0))
  throw new Error("--write wants all rows in full");
const lacking = (["etcd", "etcdctl", "java", "zookeeper", "kazoo"] as const)
  .map((tool) => missing(tool))
  .filter((reason) => reason !== null);
if (lacking.length > 0) throw new Error(`${lacking.join("; ")}: node tools/debian.ts installs it`);

const machine = [
  `${cpus().length} cores (${cpus()[0]?.model.trim() ?? "unknown"})`,
  `${Math.round(totalmem() / 2 ** 30)} GiB`,
  `Linux ${release()}`,
  `load ${loadavg()[0]?.toFixed(2) ?? "unknown"} before the start`,
].join(", ");

const lines: Line[] = [];
const notes: string[] = [];
try {
  for (const { name, measure } of rows) {
    if (values.only.length > 0 && !values.only.includes(name)) continue;
    console.error(name);
    const results = await measure((full) => (values.quick ? Math.ceil(full / 10) : full));
    lines.push(...results.lines);
    notes.push(...(results.notes ?? []));
    console.error(table(results.lines));
  }
} finally {
  await whole_run.end();
}
const text = [`Machine: ${machine}.`, table(lines), ...notes].join("\n\n");
console.log(text);
if (values.write) {
  const path = join(import.meta.dirname, "../docs/benchmarks.md");
  const page = readFileSync(path, "utf8");
  const between = /(<!-- brain -->\n)[^]*(<!-- end of brain -->)/;
  if (!between.test(page)) throw new Error("docs/benchmarks.md has lost its two markers of the brain");
  writeFileSync(
    path,
    page.replace(between, (_, begin: string, last: string) => `${begin}${text}\n${last}`),
  );
}
if (lines.some((line) => line.reached === false)) process.exitCode = 1;
