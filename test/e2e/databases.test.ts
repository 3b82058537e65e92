// Real databases under `leasehold run`: the holder dies in each way once, under load, and no acknowledged write is lost. The
// long suite does it twenty times for each database on each lock service.

import assert from "node:assert/strict";
import { test } from "node:test";
import { campaign, figures } from "../support/database-kills.ts";
import { lock_services } from "../support/database-locks.ts";
import { postgres, redis } from "../support/databases.ts";
import { requires } from "../support/requires.ts";

for (const [index, database] of [postgres, redis].entries()) {
  const service = lock_services[index];
  if (!service) continue;
  test(`${database.name} on ${service.name}: every acknowledged write outlives its holder`, async (t) => {
    if (!requires(t, ...database.requirements, ...service.requirements)) return;
    const seed = Date.now();
    t.diagnostic(`seed ${seed}`);
    const lock = await service.start(t);
    const outcome = await campaign(t, { database, lock, kills: 5, seed, args: ["--ttl", "10s"] });
    for (const line of figures(outcome)) t.diagnostic(line);
    assert.equal(outcome.lost.length, 0, `lost: ${outcome.lost.slice(0, 20).join(" ")} …`);
  });
}
