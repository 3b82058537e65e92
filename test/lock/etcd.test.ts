// The contract on real etcd servers: one, and a cluster of three.

import { after, type TestContext } from "node:test";
import { EtcdLock } from "../../src/lock/etcd/lock.ts";
import { release_etcd } from "../../src/lock/etcd/release.ts";
import { start_etcd } from "../support/etcd.ts";
import { requires } from "../support/requires.ts";
import { type Backend, contract } from "./contract.ts";

for (const [name, members] of [
  ["etcd, one server", 1],
  ["etcd, three members", 3],
] as const) {
  let end = async (): Promise<void> => {};
  after(() => end());

  contract(name, async (t: TestContext): Promise<Backend | null> => {
    if (!requires(t, "etcd", "etcdctl")) return null;
    const started = await start_etcd({ members });
    end = started.end;
    const { etcd } = started;
    await etcd.ready();
    return {
      ttl_ms: 4000,
      attempt_ms: 1000,
      open: (path, options) => new EtcdLock({ endpoints: etcd.endpoints, tls: false, path }, options),
      release: release_etcd,
      delete_lock: async (path) => void etcd.ctl(["del", `${path}/lock`]),
      foreign: {
        overwrite_lock: async (path, text) => void etcd.ctl(["put", `${path}/lock`, "--", text]),
        write_record: async (path, text) => void etcd.ctl(["put", `${path}/record`, "--", text]),
      },
      stop: () => etcd.stop(),
      resume: () => etcd.resume(),
    };
  });
}
