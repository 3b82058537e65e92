// What a backup does in its store besides being made.

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { backup_id } from "../../src/backup/manifest.ts";
import { boot_id } from "../../src/guard/kernel.ts";
import { back_up } from "../../src/restore/back-up.ts";
import { a_store, fill, meter, scratch } from "../backup/backups.ts";

test("of the backups without a manifest only that goes which a killed one on this machine was making", async (t) => {
  const folder = scratch(t);
  const store = a_store(folder);
  const data = join(folder, "db");
  fill(data, { a: "a" });
  const work = join(folder, ".db.leasehold");
  mkdirSync(work);
  const ids = ["00000001", "00000002"].map((end) =>
    backup_id(Date.now(), `${end}-0000-0000-0000-000000000000`),
  );
  const [killed = "", another = ""] = ids;
  for (const id of ids) store.begin(id);
  // No process has that number and that start.
  writeFileSync(join(work, `backing-up-1-1-${boot_id()}`), killed);
  const requirement = { path: store.path } as never;
  const answer = await back_up(
    {
      data,
      store: { requirement, app: "mysql" },
      node: "a",
      dump: null,
      retention: { keep: 9, keep_for_ms: null },
      wait: false,
    },
    () => Promise.resolve(store),
    () => {},
    meter,
  );
  assert.equal(answer.did, "made");
  const left = store.list().filter(({ how }) => how === "unfinished");
  assert.deepEqual(
    left.map(({ id }) => id),
    [another],
  );
  assert.ok(store.list().some(({ how }) => how === "whole"));
  assert.ok(!store.list().some(({ id }) => id === killed));
});
