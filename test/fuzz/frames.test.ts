// A short share of the fuzzing; `npm run test:long` has the long one. What it holds is in frames.c.

import assert from "node:assert/strict";
import { test } from "node:test";
import { requires } from "../support/requires.ts";
import { fuzz } from "./fuzz.ts";

test("no crash and no deadline extended by what the controller sends, for some seconds", (t) => {
  if (!requires(t, "clang", "libFuzzer")) return;
  const { status, output } = fuzz(10);
  assert.equal(status, 0, output);
  assert.match(output, /Done \d+ runs/);
  t.diagnostic(/Done .*/.exec(output)?.[0] ?? "");
});

test("the fuzzer finds a guard that accepts deadlines beyond the cap", (t) => {
  if (!requires(t, "clang", "libFuzzer")) return;
  const { status, output } = fuzz(60, (source) =>
    source.replace("if (deadline_ns - now > cap_ns) return S_BEYOND;", ""),
  );
  assert.notEqual(status, 0);
  assert.match(output, /broken: a deadline beyond the cap/);
});
