// A lock service of the test's own for real databases: one server of each kind, with leases of the default length.

import type { TestContext } from "node:test";
import { etcd } from "./etcd.ts";
import { etcd_url } from "./faults-etcd.ts";
import type { Requirement } from "./requires.ts";
import { ensemble } from "./zookeeper.ts";

export type LockService = {
  name: string;
  requirements: readonly Requirement[];
  /** Starts it, for as long as the test lasts; the lock's URL. */
  start: (t: TestContext) => Promise<string>;
};

const path = "/database";

export const lock_services: readonly LockService[] = [
  {
    name: "etcd",
    requirements: ["etcd", "etcdctl"],
    async start(t) {
      const servers = await etcd(t);
      await servers.ready();
      return etcd_url(path)(servers.members.map(({ port }) => port));
    },
  },
  {
    name: "ZooKeeper",
    requirements: ["zookeeper", "java"],
    async start(t) {
      // 20 ticks are the longest session: longer than the default lease.
      const servers = await ensemble({ tick_ms: 2000 });
      t.after(() => servers.end());
      return servers.url(path);
    },
  },
];
