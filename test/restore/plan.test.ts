import assert from "node:assert/strict";
import { test } from "node:test";
import type { Backup } from "../../src/backup/catalogue.ts";
import { decide, type Facts, is_due, type Marker, type Policy, type When } from "../../src/restore/plan.ts";
import { a_manifest } from "../backup/backups.ts";

const [one, two, three] = [
  "20261101T000000Z-00000001",
  "20261102T000000Z-00000002",
  "20261103T000000Z-00000003",
];
function whole(id: string, sequence: number, token = "7"): Backup {
  return { how: "whole", id, manifest: a_manifest({ id, sequence, token }), verified: null };
}
const marker: Marker = { backup: one, from: null, restored: [one], token: "6", node: "a", at: "" };
const facts: Facts = {
  path: "/data/db",
  data: "empty",
  marker: null,
  used_token: null,
  first_boot: false,
  volume_id: null,
};
const policy: Policy = { when: { kind: "empty" }, without: "first-boot", fallback: 0 };
const when = (kind: "empty" | "missing-marker" | "behind" | "never"): Policy => ({
  ...policy,
  when: { kind },
});
const both = [whole(one, 1), whole(two, 2)];

test("when it is due, by what is there", () => {
  const due = (its: When, changes: Partial<Facts>): string => is_due(its, { ...facts, ...changes });
  const table: [When, Partial<Facts>, string][] = [
    [{ kind: "empty" }, {}, "yes"],
    [{ kind: "empty" }, { data: "absent" }, "yes"],
    [{ kind: "empty" }, { data: "full" }, "no"],
    [{ kind: "never" }, {}, "no"],
    [{ kind: "missing-marker" }, { data: "full" }, "yes"],
    [{ kind: "missing-marker" }, { data: "full", marker }, "no"],
    [{ kind: "missing-marker" }, { marker }, "yes"],
    [{ kind: "missing-marker" }, { marker: { ...marker, backup: null } }, "no"],
    [{ kind: "behind" }, {}, "yes"],
    [{ kind: "behind" }, { data: "full" }, "depends"],
    [{ kind: "once", id: one }, { data: "full", marker }, "no"],
    [{ kind: "once", id: two }, { data: "full", marker }, "yes"],
    [{ kind: "now", id: null, target_ms: null }, { data: "full", marker }, "yes"],
  ];
  for (const [its, changes, expected] of table)
    assert.equal(due(its, changes), expected, JSON.stringify([its, changes]));
});

test("the newest is restored, and as many older ones may be tried as are allowed", () => {
  const decision = decide(policy, facts, [...both, { how: "unfinished", id: three }]);
  assert.deepEqual(decision, {
    do: "restore",
    ids: [two],
    because: `"/data/db" is empty: restoring ${two} (of "a", token 7)`,
  });
  const more = decide({ ...policy, fallback: 5 }, facts, both);
  assert.deepEqual(more.do === "restore" && more.ids, [two, one]);
});

test("a newest one that can't be read is not passed over without a word", () => {
  const damaged: Backup = { how: "damaged", id: three, because: "its archive is not there" };
  const refused = decide(policy, facts, [...both, damaged]);
  assert.equal(refused.do, "refuse");
  assert.match(
    refused.because,
    /"20261103T000000Z-00000003" is damaged: its archive is not there; repair it, or allow an older/,
  );
  const allowed = decide({ ...policy, fallback: 1 }, facts, [...both, damaged]);
  assert.deepEqual(allowed.do === "restore" && allowed.ids, [two]);
  const older: Backup = { how: "damaged", id: one, because: "x" };
  assert.equal(decide(policy, facts, [whole(two, 2), older]).do, "restore");
  for (const how of ["damaged", "newer"] as const)
    assert.equal(
      decide({ ...policy, without: "start-empty" }, facts, [{ how, id: one, because: "x" }]).do,
      "refuse",
      how,
    );
});

test("no backup: fail, start empty on the first boot only, or start empty", () => {
  const said = (without: Policy["without"], changes: Partial<Facts>): string =>
    decide({ ...policy, without }, { ...facts, ...changes }, []).do;
  assert.equal(said("fail", { first_boot: true }), "refuse");
  assert.equal(said("first-boot", { first_boot: true }), "start-empty");
  assert.equal(said("first-boot", {}), "refuse");
  assert.equal(said("start-empty", {}), "start-empty");
  // Data that is there is never taken for none.
  const full = decide({ ...when("missing-marker"), without: "start-empty" }, { ...facts, data: "full" }, []);
  assert.equal(full.do, "refuse");
});

test("behind: data of an earlier tenure than the newest backup is replaced, newer data never", () => {
  const said = (used_token: string | null, backups: readonly Backup[]): string =>
    decide(when("behind"), { ...facts, data: "full", used_token }, backups).do;
  assert.equal(said("6", both), "restore");
  assert.equal(said("7", both), "nothing");
  assert.equal(said("10", [whole(one, 1, "9")]), "nothing");
  assert.equal(said("9", [whole(one, 1, "10")]), "restore");
  assert.equal(said("6", []), "nothing");
  assert.equal(said(null, both), "refuse");
});

test("one that was named has to be there and whole", () => {
  const named: Policy = { ...policy, when: { kind: "once", id: one } };
  const found = decide(named, { ...facts, data: "full" }, both);
  assert.deepEqual(found.do === "restore" && found.ids, [one]);
  assert.match(
    decide(named, facts, [whole(two, 2)]).because,
    /is not in the store; see leasehold backups list$/,
  );
  assert.match(decide(named, facts, [{ how: "unfinished", id: one }]).because, /is unfinished; see/);
});

test("a backup of another volume is restored when it was named, or where each node has its own; else it is refused", () => {
  const [here, there] = ["volume-1", "volume-2"];
  const of = (id: string, sequence: number, volume_id: string | null): Backup => {
    return { how: "whole", id, manifest: a_manifest({ id, sequence, volume_id }), verified: null };
  };
  const at = { ...facts, volume_id: here };
  const backups = [of(one, 1, here), of(two, 2, there)];
  const refused = decide(policy, at, backups);
  assert.equal(refused.do, "refuse");
  assert.match(
    refused.because,
    /20261102.* is of the volume volume-2, and "\/data\/db" lies on volume-1: .*; where each node .* --restore behind$/,
  );
  assert.equal(
    decide({ ...policy, when: { kind: "now", id: null, target_ms: null } }, at, backups).do,
    "refuse",
  );
  for (const id of [one, two])
    for (const when of [
      { kind: "now", id, target_ms: null },
      { kind: "once", id },
    ] as const)
      assert.equal(decide({ ...policy, when }, at, backups).do, "restore");
  assert.equal(decide(when("behind"), at, backups).do, "restore");
  assert.equal(decide(policy, facts, backups).do, "restore", "the data's volume isn't known");
  assert.equal(decide(policy, at, [of(one, 1, null)]).do, "restore", "the backup's isn't");
  const more = decide({ ...policy, fallback: 5 }, at, [of(one, 1, there), of(two, 2, here)]);
  assert.deepEqual(more.do === "restore" && more.ids, [two]);
});

test("something that is no directory is left alone", () => {
  assert.equal(decide(policy, { ...facts, data: "foreign" }, both).do, "refuse");
});

test("a point in time: the newest that was complete by then, and none that came after it", () => {
  const [older, newer] = both.map((backup) => (backup.how === "whole" ? backup : assert.fail()));
  assert.ok(older && newer);
  const at = (backup: typeof older, created: string): Backup => ({
    ...backup,
    manifest: { ...backup.manifest, created, took_ms: 60_000 },
  });
  const backups = [at(older, "2026-11-25T01:00:00Z"), at(newer, "2026-11-25T03:00:00Z")];
  const back = (time: string, id: string | null = null) =>
    decide({ ...policy, when: { kind: "now", id, target_ms: Date.parse(time) } }, facts, backups);
  const ids = (time: string) => {
    const decision = back(time);
    return decision.do === "restore" && decision.ids;
  };
  assert.deepEqual(ids("2026-11-25T03:01:00Z"), [newer.id]);
  assert.deepEqual(ids("2026-11-25T03:00:59Z"), [older.id], "it was under way");
  for (const refused of [back("2026-11-25T01:00:59Z"), back("2026-11-25T03:00:59Z", newer.id)])
    assert.match(
      refused.do === "refuse" ? refused.because : "",
      /was complete only after .*\+00:00, and from there/,
    );
});
