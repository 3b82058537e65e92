// What is shown of a backup or a restore that is begun by hand.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Progress } from "../../src/backup/meter.ts";
import { shower } from "../../src/cli/working.ts";

const at = (elapsed_ms: number, bytes: number): { progress: Progress } => ({
  progress: { doing: "restoring", bytes, entries: 1, total: 100e6, elapsed_ms },
});

test("on a terminal: one line with a bar, written over, and taken away before a note and at the end", (t) => {
  const warned: string[] = [];
  const written: string[] = [];
  const terminal = { write: () => {}, warn: (sentence: string) => warned.push(sentence) };
  const show = shower(terminal, true);
  t.mock.method(process.stderr, "write", (text: string) => written.push(text) > 0);
  show.said(at(1000, 25e6));
  show.said(at(2000, 50e6));
  show.said({ note: "half of it" });
  show.end();
  t.mock.restoreAll();
  assert.deepEqual(written, [
    "\r\u001b[K[######..................] restoring: 25 %, 25 MB of 100 MB, 25 MB/s, 3 s left",
    "\r\u001b[K[############............] restoring: 50 %, 50 MB of 100 MB, 25 MB/s, 2 s left",
    "\r\u001b[K",
  ]);
  assert.deepEqual(warned, ["half of it"]);
});

test("elsewhere: a line every five seconds, without a bar", () => {
  const warned: string[] = [];
  const show = shower({ write: () => {}, warn: (sentence) => warned.push(sentence) }, false);
  for (let second = 1; second <= 11; second++) show.said(at(second * 1000, second * 5e6));
  show.end();
  assert.deepEqual(warned, [
    "restoring: 25 %, 25 MB of 100 MB, 5 MB/s, 15 s left",
    "restoring: 50 %, 50 MB of 100 MB, 5 MB/s, 10 s left",
  ]);
});
