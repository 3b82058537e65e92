import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { finish } from "../../src/restore/exchange.ts";

test("a staging folder that can't be looked at isn't taken for one that is in its place already", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "leasehold-exchange-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const work = join(folder, "work");
  writeFileSync(work, "what is below it gives ENOTDIR, as a storage that fails gives EIO");
  const steps: string[] = [];
  const marker = { backup: "b", from: null, restored: [], token: null, node: "n", at: "now" };
  const place = { data: join(folder, "data"), how: "rename", work } as const;
  const go_on = (): void =>
    finish(place, { step: "staged", attempt: randomUUID(), marker }, (step) => steps.push(step));
  assert.throws(go_on, { code: "ENOTDIR" });
  assert.deepEqual(steps, []);
});
