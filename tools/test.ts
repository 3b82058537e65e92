// npm test: everything. The last line on standard output is `N passed, N failed, N skipped`.
//
//   npm test                 packages, build, checks, analyzer, test/**/*.test.ts
//   npm test -- PATTERN…     only the test files whose path contains one of these
//   npm run test:long        test/**/*.long.ts
//
// Before it, the files that took longest.

import { globSync } from "node:fs";
import { join, relative } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { check, step } from "./check.ts";
import { ensure } from "./debian.ts";
import { Tally } from "./tally.ts";

process.chdir(join(import.meta.dirname, ".."));

const args = process.argv.slice(2);
const long = args.includes("--long");
const patterns = args.filter((arg) => arg !== "--long");
const files = globSync(long ? "test/**/*.long.ts" : "test/**/*.test.ts")
  .filter((file) => patterns.length === 0 || patterns.some((pattern) => file.includes(pattern)))
  .toSorted();

const tally = new Tally();
/** Of each file, in all its runs. */
const spent_ms = new Map<string, number>();

ensure(long);
// Again, although npm ci has built: musl may have come only now, and the source may have changed.
tally.count(step("build", "node", "tools/build.ts", "--sanitize"));
if (!long && patterns.length === 0) {
  tally.take(check());
  tally.count(step("analyzer", "sh", "tools/guard.sh", "analyze"));
}
// Those that for the most part wait, for a lease's end above all, and whose servers, ports and networks are their own: two at a
// time. Never two with ZooKeeper, since an ensemble's Java takes both processors while it starts; none whose leases are so short
// that another file's work could end them.
const waits = [
  /test\/(lock\/zookeeper|e2e\/(run-zookeeper|hold-outage|mixed-faults)|examples\/|vm\/ages|container\/databases)/,
  /test\/(container\/payload|lock\/etcd|e2e\/(run-|re(ady|load|store)|exec|backups|database-backups|bad-))/,
];
/** Of a file: which of them it is of; -1: none. */
const lane = (file: string): number => waits.findIndex((pattern) => pattern.test(file));
if (files.length === 0) console.log(`no test file's path contains ${patterns.join(" or ")}`);
else if (long) await tests(files);
else {
  // One at a time: they load the machine, and each other's processes would come late.
  await tests(files.filter((file) => lane(file) < 0));
  await Promise.all(waits.map((_, at) => tests(files.filter((file) => lane(file) === at))));
}

// Once more with the sanitized guard, wherever the guard does more than end at once. Others use it in its real size.
const sanitized = files.filter((file) =>
  /test\/e2e\/(deadline|deaths|orders|release|signals|stdio)\./.test(file),
);
if (!long && sanitized.length > 0) {
  console.log("\nwith the address and undefined-behaviour sanitizers:");
  process.env.LEASEHOLD_TEST_GUARD = join(process.cwd(), "dist/leasehold-asan");
  await tests(sanitized);
}

for (const [file, ms] of [...spent_ms].toSorted(([, a], [, b]) => b - a).slice(0, 15))
  console.log(`${(ms / 1000).toFixed(0).padStart(5)} s  ${file}`);
console.log(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`);
process.exitCode = tally.failed > 0 || files.length === 0 ? 1 : 0;

async function tests(which: string[]): Promise<void> {
  if (which.length === 0) return; // run() would look for test files by itself
  // Of its own, since it counts by the order in which they end.
  const own = new Tally();
  const events = run({ files: which, concurrency: 1, timeout: long ? 3_600_000 : 600_000 });
  events.on("test:pass", (event) => own.add(event, true));
  events.on("test:fail", (event) => own.add(event, false));
  events.on("test:summary", ({ file, duration_ms }) => {
    if (file === undefined) return; // of all of them
    const name = relative(process.cwd(), file);
    spent_ms.set(name, (spent_ms.get(name) ?? 0) + duration_ms);
  });
  for await (const text of events.compose(spec)) process.stdout.write(text);
  tally.take(own);
}
