import assert from "node:assert/strict";
import { test } from "node:test";
import { type Backup, next_sequence, prunable, whole_newest_first } from "../../src/backup/catalogue.ts";
import { a_manifest } from "./backups.ts";

const day_ms = 86_400_000;
const now_ms = Date.parse("2026-11-25T00:00:00.000Z");

const id_of = (sequence: number, days_old: number): string =>
  `${new Date(now_ms - days_old * day_ms).toISOString().replace(/[-:]|\.\d+/g, "")}-${String(sequence).padStart(8, "0")}`;
function whole(sequence: number, days_old: number, failure: string | null = null): Backup {
  const created = new Date(now_ms - days_old * day_ms).toISOString();
  const manifest = a_manifest({ id: id_of(sequence, days_old), sequence, created });
  return {
    how: "whole",
    id: manifest.id,
    manifest,
    verified: failure === null ? null : { at: created, failure },
  };
}
const ids = (backups: readonly Backup[]): string[] => backups.map(({ id }) => id);

test("the newest is the last that was begun, whatever the clock said; what isn't whole is none", () => {
  const clock_set_back = whole(3, 400);
  const all: Backup[] = [whole(1, 2), clock_set_back, whole(2, 1), { how: "unfinished", id: id_of(9, 0) }];
  assert.equal(whole_newest_first(all)[0], clock_set_back);
  assert.equal(next_sequence(all), 4);
  assert.equal(next_sequence([]), 1);
});

test("by number and by age; the newest good one stays, whatever they say", () => {
  const all = [whole(1, 30), whole(2, 20), whole(3, 10)];
  const by = (keep: number | null, days: number | null): string[] =>
    ids(prunable(all, { keep, keep_for_ms: days === null ? null : days * day_ms }, now_ms));
  assert.deepEqual(by(null, null), []);
  assert.deepEqual(by(2, null), [id_of(1, 30)]);
  assert.deepEqual(by(null, 15), [id_of(2, 20), id_of(1, 30)]);
  assert.deepEqual(by(null, 1), [id_of(2, 20), id_of(1, 30)]);
  const damaged = [whole(1, 30), whole(2, 20), whole(3, 10, "bad")];
  assert.deepEqual(ids(prunable(damaged, { keep: 1, keep_for_ms: null }, now_ms)), [id_of(1, 30)]);
});

test("what was left unfinished goes after a day, what is damaged or newer is left to people", () => {
  const all: Backup[] = [
    { how: "unfinished", id: id_of(1, 2) },
    { how: "unfinished", id: id_of(2, 0.5) },
    { how: "damaged", id: id_of(3, 9), because: "x" },
    { how: "newer", id: id_of(4, 9), because: "x" },
  ];
  assert.deepEqual(ids(prunable(all, { keep: 1, keep_for_ms: 1 }, now_ms)), [id_of(1, 2)]);
});
