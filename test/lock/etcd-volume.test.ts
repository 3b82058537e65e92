// A lock in etcd with a volume as the second witness: under `stop` it keeps the contract of a lock.

import { after, type TestContext } from "node:test";
import { EtcdLock } from "../../src/lock/etcd/lock.ts";
import { WitnessedLock } from "../../src/lock/witnessed/lock.ts";
import { release_witnessed } from "../../src/lock/witnessed/release.ts";
import { start_etcd } from "../support/etcd.ts";
import { requires } from "../support/requires.ts";
import { Volumes } from "../support/volumes.ts";
import { type Backend, contract } from "./contract.ts";

const ttl_ms = 4000;
const volumes = new Volumes(ttl_ms);
let end = async (): Promise<void> => {};
after(async () => {
  await end();
  volumes.remove();
});

contract("etcd with a volume, stop", async (t: TestContext): Promise<Backend | null> => {
  if (!requires(t, "etcd", "etcdctl")) return null;
  const started = await start_etcd({ members: 1 });
  end = started.end;
  const { etcd } = started;
  await etcd.ready();
  return {
    ttl_ms,
    attempt_ms: 1500,
    waits_out: true,
    open: (path, options) =>
      new WitnessedLock(
        (inner) => new EtcdLock({ endpoints: etcd.endpoints, tls: false, path }, inner),
        volumes.witness(path),
        options,
      ),
    release: release_witnessed,
    delete_lock: async (path) => void etcd.ctl(["del", `${path}/lock`]),
    foreign: {
      overwrite_lock: async (path, text) => void etcd.ctl(["put", `${path}/lock`, "--", text]),
      write_record: async (path, text) => void etcd.ctl(["put", `${path}/record`, "--", text]),
    },
    stop: () => etcd.stop(),
    resume: () => etcd.resume(),
  };
});
