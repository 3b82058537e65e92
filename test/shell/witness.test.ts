import assert from "node:assert/strict";
import { test } from "node:test";
import { type Flags, load_config } from "../../src/config/load.ts";
import type { VolumeWitness } from "../../src/lock/lock.ts";
import { witness_of } from "../../src/shell/witness.ts";
import type { StorageKind } from "../../src/storage/kinds.ts";
import type { VolumeReport } from "../../src/storage/report.ts";

const ext4: StorageKind = { name: "ext4", network: false, view_age_ms: 0 };
const nfs: StorageKind = { name: "nfs", network: true, view_age_ms: 1000 };
const ceph: StorageKind = { name: "ceph", network: true, view_age_ms: null };

/** What a volume on this kind of storage vouches for, and what the log says. */
async function told(
  kind: StorageKind,
  flags: Flags = {},
): Promise<{ witness: VolumeWitness | undefined; notes: string[] }> {
  const config = await load_config({ lock: "zk://h/a", volume: ["/v"], ...flags }, {});
  const report: VolumeReport = {
    ...{ path: "/v", verdict: "ok", because: "", identity: null, id: "i", empty: false, names: null },
    ...{ mount: null, kind, free_bytes: null, no_copy_among: null, took_ms: 1, left: null },
  };
  const notes: string[] = [];
  return { witness: witness_of(config, report, (note) => notes.push(note)), notes };
}

test("the volume vouches, with its kind's A or the user's", async () => {
  const local = await told(ext4);
  assert.deepEqual(local, {
    witness: { path: "/v", id: "i", view_age_ms: 0, local: true, on_outage: "stop" },
    notes: [],
  });
  const { witness, notes } = await told(nfs, { "on-outage": "hold" });
  assert.deepEqual(
    [witness?.view_age_ms, witness?.local, witness?.on_outage, notes],
    [1000, false, "hold", []],
  );
  assert.equal(
    (await told(ceph, { volume: ["/v,view-age=3s"], "on-outage": "hold" })).witness?.view_age_ms,
    3000,
  );
});

test("where no bound is known it can't vouch alone; beside a lock a second is assumed, loudly", async () => {
  await assert.rejects(
    told(ceph, { "on-outage": "hold" }),
    /the volume \/v is ceph, and how old a view of it can be is not known/,
  );
  await assert.rejects(told(ceph, { lock: "file:///v" }), /can't vouch alone/);
  const { witness, notes } = await told(ceph);
  assert.equal(witness?.view_age_ms, 1000);
  assert.match(notes.join("\n"), /1000 ms are assumed/);
});

test("a lease that is off on a network file system, and a view-age below what is counted with, are warned of", async () => {
  const off = await told(nfs, { "volume-lease": "off" });
  assert.equal(off.witness, undefined);
  assert.match(
    off.notes.join("\n"),
    /other machines can mount the volume \/v \(nfs\): nothing but the lock protects its data; leave --volume-lease out$/,
  );
  assert.deepEqual((await told(ext4, { "volume-lease": "off" })).notes, []);
  const short = await told(nfs, { volume: ["/v,view-age=100ms"] });
  assert.equal(short.witness?.view_age_ms, 100);
  assert.match(
    short.notes.join("\n"),
    /view-age of the volume \/v is 100 ms, below the 1000 ms that are counted with on nfs; leave it out unless/,
  );
});
