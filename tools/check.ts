// npm run check: everything about the source that needs no running program. All steps run, also after a failure.

import { spawnSync } from "node:child_process";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");

/** What npm test runs too; there the tidy test is among the tests. */
const steps: readonly (readonly [name: string, ...command: string[]])[] = [
  ["format", "oxfmt", "--check", "."],
  ["lint", "oxlint", "--type-aware", "--deny-warnings", "--report-unused-disable-directives"],
  ["types", "tsc"],
  ["unused code", "knip"],
];
const tidy = ["tidy", "node", "--test", "test/tidy.test.ts"] as const;

/** Runs a command quietly, prints one line about it, and its output when it fails. */
export function step(name: string, command: string, ...args: string[]): boolean {
  const started = process.hrtime.bigint();
  const path = `${join(root, "node_modules/.bin")}:${process.env.PATH ?? ""}`;
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: root,
    env: { ...process.env, PATH: path },
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  const passed = status === 0;
  const seconds = Number((process.hrtime.bigint() - started) / 100_000_000n) / 10;
  console.log(`${passed ? "✔" : "✖"} ${name} (${seconds} s)`);
  if (!passed) console.log(`${stdout}${stderr}${error?.message ?? ""}`.trimEnd());
  return passed;
}

/** The steps that passed and failed. */
export function check(): { passed: number; failed: number } {
  const results = steps.map(([name, command = "", ...args]) => step(name, command, ...args));
  const passed = results.filter(Boolean).length;
  return { passed, failed: results.length - passed };
}

if (import.meta.main) {
  const { failed } = check();
  const tidied = step(...tidy);
  if (failed > 0 || !tidied) process.exitCode = 1;
}
