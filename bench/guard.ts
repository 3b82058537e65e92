// npm run bench: the guard's figures, measured on dist/leasehold as it was built. docs/benchmarks.md says what they mean.
//
//   --only NAME   one row; may be repeated
//   --quick       a tenth of the runs
//   --write       all rows, into docs/benchmarks.md
//
// It ends with 1 when something that was asked for is not reached.

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { table, type Line } from "./figures.ts";
import { again, rows } from "./rows.ts";
import { compiler } from "./tools.ts";

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

const gcc = execFileSync(compiler, ["-dumpfullversion"], { encoding: "utf8" }).trim();
const machine = [
  `${cpus().length} cores (${cpus()[0]?.model.trim() ?? "unknown"})`,
  `${Math.round(totalmem() / 2 ** 30)} GiB`,
  `Linux ${release()}`,
  `${compiler} ${gcc}`,
  `load ${loadavg()[0]?.toFixed(2) ?? "unknown"} before the start`,
].join(", ");

const lines: Line[] = [];
const notes: string[] = [];
for (const { name, runs, measure } of rows) {
  if (values.only.length > 0 && !values.only.includes(name)) continue;
  console.error(name);
  const result = await measure(values.quick ? Math.ceil(runs / 10) : runs);
  if (typeof result === "string") notes.push(`Not measured: ${name}, ${result}.`);
  else lines.push(...result);
}

if (again.length > 0)
  notes.push(`Done again, because the machine was too busy to watch them: ${again.length} runs.`);
const text = [`Machine: ${machine}.`, table(lines), ...notes].join("\n\n");
console.log(text);
if (values.write) {
  const path = join(import.meta.dirname, "../docs/benchmarks.md");
  const page = readFileSync(path, "utf8");
  const between = /(<!-- figures -->\n)[^]*(\n<!-- end of figures -->)/;
  if (!between.test(page)) throw new Error("docs/benchmarks.md has lost its two markers");
  writeFileSync(
    path,
    page.replace(between, (_, begin: string, last: string) => `${begin}${text}${last}`),
  );
}
if (lines.some((line) => line.reached === false)) process.exitCode = 1;
