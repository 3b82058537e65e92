// The contract on real etcd servers: one, a cluster of three, and one with a volume as the second witness (`stop`).

import { after, type TestContext } from "node:test";
import { EtcdLock } from "../../src/lock/etcd/lock.ts";
import { release_etcd } from "../../src/lock/etcd/release.ts";
import type { LockOptions } from "../../src/lock/lock.ts";
import { WitnessedLock } from "../../src/lock/witnessed/lock.ts";
import { release_witnessed } from "../../src/lock/witnessed/release.ts";
import { start_etcd } from "../support/etcd.ts";
import { requires } from "../support/requires.ts";
import { Volumes } from "../support/volumes.ts";
import { type Backend, contract } from "./contract.ts";

const ttl_ms = 4000;
const volumes = new Volumes(ttl_ms);
after(() => volumes.remove());

for (const [name, members, witnessed] of [
  ["etcd, one server", 1, false],
  ["etcd, three members", 3, false],
  ["etcd with a volume, stop", 1, true],
] as const) {
  let end = async (): Promise<void> => {};
  after(() => end());

  contract(name, async (t: TestContext): Promise<Backend | null> => {
    if (!requires(t, "etcd", "etcdctl")) return null;
    const started = await start_etcd({ members });
    end = started.end;
    const { etcd } = started;
    await etcd.ready();
    const open = (path: string, options: LockOptions) =>
      new EtcdLock({ endpoints: etcd.endpoints, tls: false, path }, options);
    const kind = witnessed
      ? {
          attempt_ms: 1500,
          waits_out: true as const,
          open: (path: string, options: LockOptions) =>
            new WitnessedLock((inner) => open(path, inner), volumes.witness(path), options),
          release: release_witnessed,
        }
      : { attempt_ms: 1000, open, release: release_etcd };
    return {
      ttl_ms,
      ...kind,
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
