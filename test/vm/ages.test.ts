// A of the volume lease: how old views through a second mount are. docs/storage.md has what the long suite of this name measures.

import assert from "node:assert/strict";
import { test } from "node:test";
import { scene } from "../support/scene.ts";
import { measured_ages, ready, the_fact } from "./kinds.ts";

for (const together of [["nfs3", "nfs4.2"], ["cifs"], ["glusterfs"], ["moosefs"]] as const)
  test(`${together.join(", ")}: a lease's views through a second mount are fresh`, async (t) => {
    if (!ready(t, together[0])) return;
    for (const { listing, content } of await measured_ages(t, together, "quick")) {
      assert.ok(listing.looks > 0);
      assert.equal(listing.stale, 0);
      assert.equal(content.stale, 0);
    }
  });

test("NFSv3: two changes in one tick of the server's clock, and a look between: the probe sees the second", async (t) => {
  if (!ready(t, "nfs3")) return;
  const facts = await scene({ place: "uml", program: "one-tick", args: ["3"], timeout_ms: 180_000 });
  const ticks = the_fact(facts, "one-tick");
  t.diagnostic(JSON.stringify(ticks));
  const { names, contents } = ticks.hidden as { names: number; contents: number };
  assert.ok(names > 0 && contents > 0, "they were never in one tick");
  assert.deepEqual(ticks.hidden_from_probe, { names: 0, contents: 0 });
});
