// --on-outage hold on real ZooKeeper, whose servers all die. hold-outage.long.ts has twenty outages of each service, of ten leases.

import { test } from "node:test";
import { outage, zookeeper_service } from "../support/outages.ts";
import { requires } from "../support/requires.ts";

test("hold: ZooKeeper is gone for three leases, and the app runs on; then the lock is the holder's again", async (t) => {
  if (!requires(t, "zookeeper", "java")) return;
  await outage(t, await zookeeper_service(t), "killed", { at_once: 1, ttl_ms: 4000, leases: 3 });
});
