// The guard stays small: what it is made of must fit into an image without a C library, and into one sitting's reading.

import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { requires } from "../support/requires.ts";

test("with musl the guard has at most 64,000 bytes", (t) => {
  if (!requires(t, "musl-gcc")) return;
  const { size } = statSync(join(import.meta.dirname, "../../dist/leasehold"));
  assert.ok(size <= 64_000, `${size} bytes`);
});
