// A lock with a volume as the second witness, when its lock service is out of order or can't be believed. etcd.test.ts has the contract
// that it keeps.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { end_of } from "../../src/core/lease.ts";
import { LockUnknown } from "../../src/errors.ts";
import type { LockOptions, VolumeWitness } from "../../src/lock/lock.ts";
import { type Carry, MemoryLock, MemoryService } from "../../src/lock/memory.ts";
import { WitnessedLock } from "../../src/lock/witnessed/lock.ts";
import { ProbeStore } from "../../src/storage/lease/probe-store.ts";
import type { VolumeStore, Write } from "../../src/storage/lease/store.ts";
import { Volumes } from "../support/volumes.ts";
import { real_time, take_over, taken, until } from "./contract.ts";

const ttl_ms = 1500;
const volumes = new Volumes(ttl_ms);
after(() => volumes.remove());

/** A lock service in memory that can be out of order, and contenders of it on one volume. */
function scene(t: TestContext, on_outage: "stop" | "hold") {
  const service = new MemoryService(real_time);
  const name = randomUUID();
  const outage = { on: false };
  const carry: Carry = async (request) => {
    if (outage.on) throw new LockUnknown("the lock service can't be reached", "", "trying again");
    return request();
  };
  const witness: VolumeWitness = { ...volumes.witness(name), on_outage };
  /** before: each of its passes over the volume. */
  const contender = (of: MemoryService = service, before: (writes: readonly Write[]) => void = () => {}) => {
    const lost: string[] = [];
    const probe = new ProbeStore({ path: witness.path, time: real_time, limit_ms: 5000 });
    const store: VolumeStore = {
      async pass(writes) {
        before(writes);
        return probe.pass(writes);
      },
    };
    const identity = { holder: "n", instance: randomUUID(), boot_id: "b", address: null, volume_id: null };
    const options: LockOptions = {
      ...{ identity, ttl_ms, attempt_ms: 500, time: real_time },
      on_lost: (because) => void lost.push(because),
    };
    const lock = new WitnessedLock((inner) => new MemoryLock(of, inner, carry), witness, options, { store });
    t.after(() => lock.close());
    return { lock, lost, instance: identity.instance };
  };
  return { service, outage, contender, name };
}

const holder_of = (service: MemoryService): string | undefined => service.held?.instance;

/** Beats as the core would, for so long. */
async function prove_for(lock: WitnessedLock, time_ms: number): Promise<void> {
  for (const until_ms = Date.now() + time_ms; Date.now() < until_ms; await sleep(ttl_ms / 6)) {
    const answer = await lock.prove();
    assert.ok(answer.kind === "proved", "a healthy holder was told that it has lost it");
    assert.ok(end_of(answer.proof) > real_time.now_ns());
  }
}

test("hold: the holder outlives an outage of the lock service, and nobody else gets in", async (t) => {
  const { service, outage, contender } = scene(t, "hold");
  const [a, b] = [contender(), contender()];
  const { token, lock_token } = await taken(a.lock);
  assert.ok(token >= 1n && lock_token !== undefined);
  outage.on = true;
  const held = prove_for(a.lock, 4 * ttl_ms);
  const busy = await b.lock.take();
  assert.equal(busy.kind === "busy" && busy.holder?.instance, a.instance);
  await held;
  assert.ok(service.held === null, "its lock has ended meanwhile");
  outage.on = false;
  await prove_for(a.lock, ttl_ms);
  await until(() => holder_of(service) === a.instance);
  assert.deepEqual(a.lost, []);
});

test("hold: a key that is gone, or somebody else's, ends nothing; who has it and sees life gives it back", async (t) => {
  const { service, contender } = scene(t, "hold");
  const [a, b] = [contender(), contender()];
  await taken(a.lock);
  service.delete();
  await a.lock.prove();
  const { record } = service;
  assert.ok(record);
  const stranger = service.take({ ...record, instance: "stranger" }, 60_000);
  await prove_for(a.lock, ttl_ms);
  assert.equal(holder_of(service), "stranger", "it is not taken from him");
  assert.ok(stranger);
  service.release(stranger.token, null);
  assert.equal((await b.lock.take()).kind, "busy");
  await prove_for(a.lock, ttl_ms);
  assert.notEqual(holder_of(service), b.instance, "nobody keeps the lock while another shows life");
  assert.deepEqual(a.lost, []);
});

test("stop: an outage gives no proof, and the lock's loss is the end", async (t) => {
  const { service, outage, contender } = scene(t, "stop");
  const a = contender();
  const { proof } = await taken(a.lock);
  outage.on = true;
  await assert.rejects(a.lock.prove(), LockUnknown);
  outage.on = false;
  const answer = await a.lock.prove();
  assert.ok(answer.kind === "proved" && end_of(answer.proof) > end_of(proof));
  service.delete();
  await until(() => a.lost.length > 0);
  assert.equal((await a.lock.prove()).kind, "lost");
});

for (const on_outage of ["stop", "hold"] as const) {
  test(`${on_outage}: a lock service that grants twice: one of them runs`, async (t) => {
    const { service, contender } = scene(t, on_outage);
    const [a, b] = [contender(), contender(new MemoryService(real_time))];
    await taken(a.lock);
    for (let round = 0; round < 3; round++) {
      assert.equal((await b.lock.take()).kind, "busy");
      await prove_for(a.lock, ttl_ms);
    }
    await a.lock.release("clean");
    assert.equal(service.held, null);
    const { previous } = await take_over(b.lock);
    assert.equal(previous?.instance, a.instance);
    assert.equal(previous.state, "clean");
    assert.equal((await a.lock.take()).kind, "busy");
  });
}

test("a claim is withdrawn when its lock can't be proved any more", async (t) => {
  const { outage, contender, name } = scene(t, "hold");
  // No claim at all: whoever takes over waits for a whole lease, and longer than the lock is granted without a renewal.
  volumes.remove_claims(name);
  const a = contender();
  const attempt = a.lock.take();
  await sleep(200);
  outage.on = true;
  assert.equal((await attempt).kind, "busy");
  outage.on = false;
  await take_over(a.lock);
});

/** Is to be written: its first beat as one that runs, or its claim. */
const says_running = (write: Write): boolean =>
  write.do === "write" && write.content.includes('"state":"running","ran":true');
const makes_claim = (write: Write): boolean => write.do === "create" && write.name.endsWith(".claim");

test("stop: the lock goes while the last beat is under way: nothing is taken, and nobody has to be fenced", async (t) => {
  const { service, contender } = scene(t, "stop");
  const before = contender();
  await taken(before.lock);
  await before.lock.release("clean");
  let deleted = false;
  const a = contender(service, (writes) => {
    if (deleted || !writes.some(says_running)) return;
    deleted = true;
    service.delete();
  });
  assert.equal((await a.lock.take()).kind, "busy", "it counted on the volume alone");
  assert.ok(deleted);
  const { previous, token } = await taken(contender().lock);
  assert.equal(previous?.instance, before.instance, "whose app was never started was nobody");
  assert.equal(previous.state, "clean");
  assert.equal(token, 3n);
});

for (const [what, answers] of [
  ["the lock is given back", true],
  ["giving the lock back has no answer", false],
] as const)
  test(`the first attempt fails on the volume, and ${what}: nobody has to be fenced in the second`, async (t) => {
    const { service, outage, contender } = scene(t, "stop");
    let failed = false;
    const a = contender(service, (writes) => {
      if (failed || !writes.some(makes_claim)) return;
      failed = true;
      outage.on = !answers;
      throw new LockUnknown("no answer", "", "trying again");
    });
    await assert.rejects(a.lock.take(), LockUnknown);
    assert.equal(service.record?.state, answers ? "clean" : "running");
    outage.on = false;
    assert.equal((await taken(a.lock)).previous?.state ?? "clean", "clean");
  });
