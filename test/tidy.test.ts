// The house rules that no other tool checks. Each failure names the file and what to do.

import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import pkg from "../package.json" with { type: "json" };
import { exitCodes } from "../src/errors.ts";

process.chdir(join(import.meta.dirname, ".."));

const all = globSync("**/*.*", { exclude: ["node_modules", "dist", ".git"] }).filter((file) =>
  /\.\w+$/.test(file),
);
const files = [...all, ...globSync(".ci/*")].filter((file) => !file.endsWith("package-lock.json"));
const sources = files.filter((file) => file.startsWith("src/"));
const typescript = sources.filter((file) => file.endsWith(".ts"));
const c = sources.filter((file) => /\.[ch]$/.test(file));
const prose = files.filter((file) => file.endsWith(".md"));

const text = (file: string): string => readFileSync(file, "utf8");
const lines = (file: string): string[] => text(file).trimEnd().split("\n");

/** From the core outwards: a file imports only from its own folder and from layers before it. */
const layers = [
  ["core"],
  ["errors"],
  ["config"],
  ["guard"], // before the other adapters, because they run jobs under it
  ["storage"], // before the locks: a volume is one, and vouches for the others
  ["backup"], // before restore, which reads what it has made
  ["lock", "restore", "ops", "ready"],
  ["shell"],
  ["cli"],
  ["main"],
  ["start"],
];
const folder = (path: string): string => path.split("/")[1]?.replace(/\.ts$/, "") ?? "";
const layer = (name: string): number => layers.findIndex((names) => names.includes(name));

test("imports run one way, and the core's stay inside the core", () => {
  const wrong: string[] = [];
  for (const file of typescript) {
    const from = folder(file);
    if (layer(from) < 0) wrong.push(`${file}: its folder has no layer in this test`);
    for (const [, target = ""] of text(file).matchAll(/(?:\bfrom|\bimport|\bimport\()\s*"([^"]+)"/g)) {
      const outside = !target.startsWith(".");
      if (outside && from === "core") wrong.push(`${file}: the core imports ${target}`);
      const path = normalize(join(dirname(file), target));
      if (outside || !path.startsWith("src/")) continue;
      const to = folder(path);
      if (to !== from && layer(to) >= layer(from)) wrong.push(`${file}: ${from} imports ${to}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test("source files are short, or say at the top why not", () => {
  const long = [...typescript, ...c].filter(
    (file) => lines(file).length > 300 && !/Long because /.test(lines(file).slice(0, 20).join("\n")),
  );
  assert.deepEqual(long, [], "over 300 lines without a comment `Long because …` at the top");
});

test("the median TypeScript file has fewer than 100 lines", () => {
  const sizes = typescript.map((file) => lines(file).length).toSorted((a, b) => a - b);
  const median = sizes[Math.floor(sizes.length / 2)] ?? 0;
  assert.ok(median < 100, `it has ${median}`);
});

test("the guard can be read in one sitting", (t) => {
  const code = c.map((file) => text(file).replace(/\/\*[^]*?\*\/|\/\/.*/g, "")).join("\n");
  const count = code.split("\n").filter((line) => line.trim() !== "").length;
  t.diagnostic(`the guard has ${count} lines of C, comments and blank ones not counted`);
  assert.ok(count <= 1750, `${count} lines of C`);
});

test("nothing is left for later, and no test is left out", () => {
  const later = new RegExp(["TO", "DO|FIX", "ME|XX", "X"].join(""));
  const out = /\b(test|it|suite|describe|t|context)(\.(only|todo|skip)\(|\([^)]*\b(only|todo|skip): )/;
  // The one place that may skip a test gives the reason and fails in CI.
  const tests = files.filter((file) => /^test\/.*\.ts$/.test(file) && file !== "test/support/requires.ts");
  assert.deepEqual(
    files.filter((file) => later.test(text(file))),
    [],
  );
  assert.deepEqual(
    tests.filter((file) => out.test(text(file))),
    [],
  );
});

test("no file names a machine or a private registry", () => {
  const machine = new RegExp(["/wo", "rk/|/ro", "ot/|/ho", "me/[a-z]"].join(""));
  assert.deepEqual(
    files.filter((file) => machine.test(text(file))),
    [],
  );
  assert.doesNotMatch(text("package-lock.json"), /"resolved"/);
});

test("every exit code is documented and tested", () => {
  const table = text("docs/exit-codes.md");
  const tests = files.filter((file) => /^test\/.*\.ts$/.test(file) && file !== "test/tidy.test.ts").map(text);
  const guard = [...text("src/guard/guard.h").matchAll(/\bEXIT_\w+ = (\d+)/g)].map(([, code]) =>
    Number(code),
  );
  assert.ok(guard.length > 0);
  const wrong: string[] = [];
  for (const code of new Set([...guard, ...Object.values(exitCodes)])) {
    const row = new RegExp(`^\\| [^|]*\\b${code}\\b[^|]*\\|`, "m");
    if (!row.test(table)) wrong.push(`${code} is not in docs/exit-codes.md`);
    if (!tests.some((content) => new RegExp(`\\b${code}\\b`).test(content)))
      wrong.push(`no test names ${code}`);
  }
  assert.deepEqual(wrong, []);
});

test("every link in the documentation leads somewhere", () => {
  const broken: string[] = [];
  for (const file of prose) {
    for (const [, target = ""] of text(file).matchAll(/\]\(([^)\s]+)\)/g)) {
      const path = target.replace(/#.*/, "");
      if (path === "" || /^\w+:/.test(path)) continue;
      if (!existsSync(join(dirname(file), path))) broken.push(`${file}: ${target}`);
    }
  }
  assert.deepEqual(broken, []);
});

test("versions are exact, and the pinned Node is one", () => {
  const { dependencies, devDependencies, overrides } = pkg;
  for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies, ...overrides })) {
    assert.match(version, /^\d+\.\d+\.\d+$/, name);
  }
  assert.equal(text(".node-version").trim(), dependencies.node);
});
