// Ten minutes of fuzzing; the figure of a run is in docs/benchmarks.md.

import assert from "node:assert/strict";
import { test } from "node:test";
import { requires } from "../support/requires.ts";
import { fuzz } from "./fuzz.ts";

test("no crash and no deadline extended by what the controller sends, for ten minutes", (t) => {
  if (!requires(t, "clang", "libFuzzer")) return;
  const { status, output } = fuzz(600);
  assert.equal(status, 0, output);
  t.diagnostic(/Done .*/.exec(output)?.[0] ?? "");
});
