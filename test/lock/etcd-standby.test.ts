// Standbys in etcd: those in front watch the lock, those behind one of those before them.

import { randomUUID } from "node:crypto";
import { after, type TestContext } from "node:test";
import { EtcdLock } from "../../src/lock/etcd/lock.ts";
import { type Etcd, start_etcd } from "../support/etcd.ts";
import { requires } from "../support/requires.ts";
import { real_time } from "./contract.ts";
import { crowd } from "./crowd.ts";

let started: Promise<{ etcd: Etcd; end: () => Promise<void> }> | undefined;
after(async () => (await started)?.end());

crowd("etcd", async (t: TestContext) => {
  if (!requires(t, "etcd", "etcdctl")) return null;
  const { etcd } = await (started ??= start_etcd({ members: 1 }));
  await etcd.ready();
  const target = { endpoints: etcd.endpoints, tls: false, path: `/standby-${randomUUID()}` };
  return (name, ttl_ms) => {
    const identity = { holder: "node", instance: name, boot_id: "", address: null, volume_id: null };
    const options = { identity, ttl_ms, attempt_ms: 1500, time: real_time, on_lost: () => {} };
    const lock = new EtcdLock(target, options);
    t.after(() => lock.close());
    return lock;
  };
});
