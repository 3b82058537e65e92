// Each database on each lock service: twenty kills of the holder under load, in each way that a process of it may die, in
// turn. Every acknowledged write is there afterwards, nobody repaired anything by hand, and no two servers ever ran at once.
//
//   LEASEHOLD_TEST_SEED     replays the moments of the kills (what happens between them stays the machine's)
//   LEASEHOLD_TEST_KILLS    so many instead

import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { test } from "node:test";
import { campaign, figures } from "../support/database-kills.ts";
import { lock_services } from "../support/database-locks.ts";
import { postgres, redis } from "../support/databases.ts";
import { requires } from "../support/requires.ts";

const seed = Number(process.env.LEASEHOLD_TEST_SEED ?? randomInt(2 ** 31));
const kills = Number(process.env.LEASEHOLD_TEST_KILLS ?? 20);

for (const database of [postgres, redis])
  for (const service of lock_services)
    test(`${database.name} on ${service.name}, ${kills} kills of the holder`, async (t) => {
      if (!requires(t, ...database.requirements, ...service.requirements)) return;
      t.diagnostic(`LEASEHOLD_TEST_SEED=${seed}`);
      const outcome = await campaign(t, { database, lock: await service.start(t), kills, seed });
      for (const line of figures(outcome)) t.diagnostic(line);
      assert.equal(outcome.lost.length, 0, `lost: ${outcome.lost.slice(0, 20).join(" ")} …`);
      assert.equal(outcome.kills.length, kills);
    });
