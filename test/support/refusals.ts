// What leasehold refuses: one sentence with the remedy, the right code, nothing started, no secret, no stack trace.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { guard } from "./hand.ts";

/** Given by many tests, and never to be seen. */
export const secret = "unguessable-4711";

export function folder_of(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "leasehold-bad-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** `leasehold run OPTIONS -- touch FILE`: its code and its one sentence. wrapper: what starts it. */
async function run(
  t: TestContext,
  options: readonly string[],
  env: NodeJS.ProcessEnv,
  wrapper: readonly string[],
): Promise<{ code: number | null; sentence: string }> {
  const started = join(folder_of(t), "started");
  const words = [guard, "run", "--log-level", "error", ...options, "--", "touch", started];
  const [program = "", ...args] = [...wrapper, ...words];
  const child = spawn(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env.PATH, ...env },
    timeout: 50_000,
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  assert.equal(existsSync(started), false, `the app was started\n${stderr}`);
  assert.equal(stdout, "");
  assert.doesNotMatch(stderr, new RegExp(`${secret}|PRIVATE KEY`));
  assert.doesNotMatch(stderr, /\n\s+at |node:internal|\.ts:\d|\.c?js:\d/, "a stack trace");
  const lines = stderr.split("\n").filter((line) => line !== "");
  assert.equal(lines.length, 1, `one sentence:\n${stderr}`);
  const [line = ""] = lines;
  const sentence = line.startsWith("{")
    ? (JSON.parse(line) as { message: string }).message
    : line.replace(/^leasehold: /, "");
  return { code, sentence };
}

export async function refused(
  t: TestContext,
  options: readonly string[],
  code: number,
  sentence: RegExp,
  env: NodeJS.ProcessEnv = {},
  wrapper: readonly string[] = [],
): Promise<void> {
  const ended = await run(t, options, env, wrapper);
  assert.match(ended.sentence, sentence);
  assert.equal(ended.code, code, ended.sentence);
}
