// Standbys in etcd: those in front watch the lock, those behind one of those before them.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test, type TestContext } from "node:test";
import { EtcdGateway } from "../../src/lock/etcd/gateway.ts";
import { EtcdLock } from "../../src/lock/etcd/lock.ts";
import { type Etcd, start_etcd } from "../support/etcd.ts";
import { requires } from "../support/requires.ts";
import { real_time, take_over, taken } from "./contract.ts";
import { crowd } from "./crowd.ts";

let started: Promise<{ etcd: Etcd; end: () => Promise<void> }> | undefined;
after(async () => (await started)?.end());

type Open = (name: string, ttl_ms: number) => EtcdLock;

async function place(t: TestContext): Promise<{ open: Open; etcd: Etcd; path: string } | null> {
  if (!requires(t, "etcd", "etcdctl")) return null;
  const { etcd } = await (started ??= start_etcd({ members: 1 }));
  await etcd.ready();
  const path = `/standby-${randomUUID()}`;
  const open: Open = (name, ttl_ms) => {
    const identity = { holder: "node", instance: name, boot_id: "", address: null, volume_id: null };
    const options = { identity, ttl_ms, attempt_ms: 1500, time: real_time, on_lost: () => {} };
    const lock = new EtcdLock({ endpoints: etcd.endpoints, tls: false, path }, options);
    t.after(() => lock.close());
    return lock;
  };
  return { open, etcd, path };
}

crowd("etcd", async (t) => (await place(t))?.open ?? null);

test("closed while it is being taken: nothing is watched for ever", async (t) => {
  const here = await place(t);
  if (here === null) return;
  const target = { endpoints: here.etcd.endpoints, tls: false, path: here.path };
  const identity = { holder: "node", instance: "a", boot_id: "", address: null, volume_id: null };
  const options = { identity, ttl_ms: 10_000, attempt_ms: 1500, time: real_time, on_lost: () => {} };
  const api = new EtcdGateway(target, options);
  const watched: AbortSignal[] = [];
  const watch = api.watch.bind(api);
  api.watch = (key, after_revision, on_event, abort) => {
    watched.push(abort);
    return watch(key, after_revision, on_event, abort);
  };
  const lock = new EtcdLock(target, options, api);
  const taking = lock.take().catch(() => null);
  await lock.close();
  await taking;
  assert.deepEqual(
    watched.map(({ aborted }) => aborted).filter((aborted) => !aborted),
    [],
  );
});

for (const renewed of [false, true]) {
  const what = renewed ? "a renewal and the end" : "the end";
  test(`${what} between two watches: etcd is asked what happened then`, async (t) => {
    const here = await place(t);
    if (here === null) return;
    const [holder, standby] = [here.open("a", 10_000), here.open("b", 10_000)];
    await taken(holder);
    assert.equal((await standby.take()).kind, "busy");
    const seen_ns = real_time.now_ns();
    const last = renewed ? await holder.prove() : null;
    here.etcd.ctl(["del", `${here.path}/lock`]);
    await standby.wait(AbortSignal.timeout(30_000));
    const { previous_seen_ns } = await take_over(standby);
    assert.ok(previous_seen_ns !== null);
    if (last === null) assert.ok(previous_seen_ns <= seen_ns, "it was only found gone");
    else assert.ok(last.kind === "proved" && previous_seen_ns >= last.proof.t0_ns, "a renewal was missed");
  });
}
