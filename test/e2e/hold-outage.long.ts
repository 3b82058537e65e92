// --on-outage hold: nothing of the lock service answers for ten leases, twenty times, on real etcd and real ZooKeeper.

import { test } from "node:test";
import { etcd_service, outage, zookeeper_service } from "../support/outages.ts";
import { requires } from "../support/requires.ts";

const at_once = 5;
const rounds = 4;

for (const [name, make, tools] of [
  ["etcd", etcd_service, ["etcd", "etcdctl"]],
  ["ZooKeeper", zookeeper_service, ["zookeeper", "java"]],
] as const)
  for (let round = 1; round <= rounds; round++) {
    const how = round % 2 === 0 ? "killed" : "stopped";
    test(`hold: ${name} is ${how} for ten leases, ${at_once} locks, round ${round} of ${rounds}`, async (t) => {
      if (!requires(t, ...tools)) return;
      await outage(t, await make(t), how, { at_once, ttl_ms: 5000, leases: 10 });
    });
  }
