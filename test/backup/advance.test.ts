import assert from "node:assert/strict";
import { test } from "node:test";
import { not_advanced, type RestoredFrom } from "../../src/backup/advance.ts";
import type { Manifest } from "../../src/backup/manifest.ts";
import { a_manifest } from "./backups.ts";

const from: RestoredFrom = {
  ...{ sequence: 5, created: "2026-11-20T00:00:00.000Z", token: "9", sha256: "0".repeat(64) },
};
const restored_at = "2026-11-24T00:00:00.000Z";
const later: Partial<Manifest> = { sequence: 6, token: "10", sha256: "1".repeat(64) };

test("a backup is later than what was restored by its content, token, number and time", () => {
  const said = (changes: Partial<Manifest>): string | null =>
    not_advanced(a_manifest({ ...later, ...changes }), from, restored_at);
  assert.equal(said({}), null);
  assert.equal(said({ token: "9" }), null, "restored and backed up in one tenure");
  assert.equal(said({ token: null }), null);
  const table: [Partial<Manifest>, RegExp][] = [
    [{ sha256: from.sha256 }, /^it holds just what was restored; see that the app writes into --data/],
    [{ token: "8" }, /^its token 8 is before 9; the lock is another one/],
    [{ sequence: 5 }, /^its number 5 is not after 5; the store is another one/],
    [
      { created: "2026-11-23T23:59:59.000Z" },
      /^it is of 2026-11-23.*, before 2026-11-24.*; set the clock right$/,
    ],
    [{ created: "2026-11-19T00:00:00.000Z" }, /^it is of 2026-11-19/],
  ];
  for (const [changes, why] of table) assert.match(said(changes) ?? "null", why);
  assert.equal(not_advanced(a_manifest({ ...later, token: "10" }), { ...from, token: null }, ""), null);
});
