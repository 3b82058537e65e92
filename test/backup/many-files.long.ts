// A million small files there and back: all of them, in memory that doesn't grow with their number. Says how long it took.
//
//   npm run test:long -- backup/many-files        LEASEHOLD_FILES=100000 for fewer; a million want 5 GB in TMPDIR, twice

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Store } from "../../src/backup/store.ts";
import { scratch } from "./backups.ts";

const count = Number(process.env.LEASEHOLD_FILES ?? 1_000_000);
const in_each = 1000;
/**
 * With a heap this small what is kept of each file would end the process; by default V8 lets a few hundred MB of garbage lie, however
 * many files there are.
 */
const small_heap = ["--max-old-space-size=64", "--max-semi-space-size=2"];
const memory_max_mb = 250;

const program = join(import.meta.dirname, "../../bench/backups/one.ts");
const name_of = (file: number): string => `${Math.floor(file / in_each)}/${file}`;

test(`${count} small files`, (t) => {
  const folder = scratch(t);
  const [data, path, to] = [join(folder, "data"), join(folder, "store"), join(folder, "to")];
  for (const made of [path, to]) mkdirSync(made);
  for (let file = 0; file < count; file++) {
    if (file % in_each === 0) mkdirSync(join(data, `${file / in_each}`), { recursive: true });
    writeFileSync(join(data, name_of(file)), `${file}`);
  }
  for (const [what, where] of [
    ["backup", data],
    ["restore", to],
  ] as const) {
    const began_ms = performance.now();
    const rss_kb = Number(
      execFileSync(process.execPath, [...small_heap, program, what, path, where], { encoding: "utf8" }),
    );
    const seconds = ((performance.now() - began_ms) / 1000).toFixed(0);
    t.diagnostic(`${what}: ${seconds} s, ${(rss_kb / 1024).toFixed(0)} MB`);
    assert.ok(rss_kb / 1024 < memory_max_mb, `${what}: ${rss_kb} kB`);
  }
  const [backup] = new Store(path, "bench").list();
  assert.equal(backup?.how === "whole" && backup.manifest.entries, count + Math.ceil(count / in_each) + 1);
  const folders = readdirSync(to);
  assert.equal(folders.length, Math.ceil(count / in_each));
  const found = folders.reduce((sum, name) => sum + readdirSync(join(to, name)).length, 0);
  assert.equal(found, count);
  for (let file = 0; file < count; file += 997)
    assert.equal(readFileSync(join(to, name_of(file)), "utf8"), `${file}`);
});
