// The lease on a real directory, through the real probe, where the way there and back has its tricks.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { LockUnknown } from "../../../src/errors.ts";
import { leasehold_folder } from "../../../src/storage/identity.ts";
import { encode_claim } from "../../../src/storage/lease/format.ts";
import { VolumeLease } from "../../../src/storage/lease/lease.ts";
import { ProbeStore } from "../../../src/storage/lease/probe-store.ts";
import type { Pass, VolumeStore, Write } from "../../../src/storage/lease/store.ts";
import { real_time, until } from "../../lock/contract.ts";
import { Volumes } from "../../support/volumes.ts";
import { a_claim, uuid } from "./scenes.ts";

const ttl_ms = 30_000;
type Way = (store: VolumeStore, writes: readonly Write[]) => Promise<Pass>;

function scene(t: TestContext) {
  const volumes = new Volumes(ttl_ms);
  t.after(() => volumes.remove());
  const path = volumes.at("volume");
  const files = (kind: string): string[] =>
    readdirSync(join(path, leasehold_folder)).filter((name) => name.endsWith(`.${kind}`));
  const lease = (way: Way = (store, writes) => store.pass(writes)): VolumeLease => {
    const store = new ProbeStore({ path, time: real_time, limit_ms: 5000 });
    const identity = { holder: "n", instance: randomUUID(), boot_id: "b", address: null, volume_id: null };
    return new VolumeLease({
      ...{ time: real_time, path, identity, ttl_ms, volume_id: null, view_age_ms: 0, mode: "file" },
      store: { pass: (writes) => way(store, writes) },
      ...{ register: false, paranoid: false, random: Math.random, uuid: randomUUID, on_ended: () => {} },
    });
  };
  return { path, files, lease };
}

const makes_claim = (writes: readonly Write[]): boolean =>
  writes.some((write) => write.do === "create" && write.name.endsWith(".claim"));

test("what it costs: one job and one sync a beat, three jobs a take-over", async (t) => {
  const passes: (readonly Write[])[] = [];
  const one = scene(t).lease((store, writes) => {
    passes.push(writes);
    return store.pass(writes);
  });
  assert.equal((await one.acquire()).kind, "acquired");
  assert.deepEqual(
    passes.map((writes) => writes.map((write) => write.do)),
    [[], ["create", "create"], ["write"]],
  );
  passes.length = 0;
  assert.equal((await one.prove()).kind, "proved");
  assert.equal((await one.prove()).kind, "proved");
  const beats = passes.filter((writes) => writes.some((write) => write.do === "write"));
  assert.deepEqual(
    beats.map((writes) => writes.map((write) => write.do)),
    [["write"], ["write"]],
  );
});

test("R5.3: a claim that is there already is ours when it says so: the answer was lost on the way", async (t) => {
  const { lease, files } = scene(t);
  // As NFS sends a link() again whose answer got lost.
  const twice = lease(async (store, writes) => {
    const first = await store.pass(writes);
    return makes_claim(writes) ? store.pass(writes) : first;
  });
  const answer = await twice.acquire();
  assert.ok(answer.kind === "acquired");
  assert.equal(answer.claim, 1n);
  assert.deepEqual(files("claim").toSorted(), ["0.claim", "1.claim"]);
});

test("R5.3: somebody else's claim is the end of the attempt, and nothing of it is left", async (t) => {
  const { lease, files } = scene(t);
  const other = lease();
  const late = lease(async (store, writes) => {
    if (makes_claim(writes)) assert.equal((await other.acquire()).kind, "acquired");
    return store.pass(writes);
  });
  const answer = await late.acquire();
  assert.ok(answer.kind === "refused");
  assert.match(answer.because, /made the claim 1 first/);
  assert.equal(files("beat").length, 1);
  assert.equal((await other.prove()).kind, "proved");
});

test("R7: a claim whose answer never came binds nobody, whether it was made or not", async (t) => {
  const { lease } = scene(t);
  let answers = false;
  const unlucky = lease(async (store, writes) => {
    const pass = await store.pass(writes);
    if (answers || !makes_claim(writes)) return pass;
    throw new LockUnknown("no answer", "", "trying again");
  });
  await assert.rejects(unlucky.acquire(), LockUnknown);
  answers = true;
  const again = await unlucky.acquire();
  assert.ok(again.kind === "acquired");
  assert.equal(again.claim, 2n, "no number is used twice");
  assert.equal(again.previous, null, "who never started anything is nobody to fence");
  assert.equal((await lease().observe()).silent, false);
  await unlucky.release("clean", 0);
  assert.equal((await lease().observe()).silent, true, "the claim without an answer is withdrawn");
});

test("R4: how long a beat is missing that a claim names counts from the own claim on, however long it was seen missing before", async (t) => {
  const { path, lease } = scene(t);
  const its_tv_ms = 1500;
  const claim = encode_claim(a_claim({ instance: uuid(1), claim: 1n, tv_ms: its_tv_ms }));
  writeFileSync(join(path, leasehold_folder, "1.claim"), claim);
  const one = lease();
  await until(async () => (await one.observe()).silent);
  const asked_ns = real_time.now_ns();
  assert.equal((await one.acquire()).kind, "acquired");
  assert.ok(
    real_time.now_ns() - asked_ns >= BigInt(its_tv_ms * 1e6),
    "its first beat may have been on the way",
  );
});

test("R8: what is over goes with the next holder's beats, and only that", async (t) => {
  const { lease, files } = scene(t);
  for (let turn = 0; turn < 3; turn++) {
    const one = lease();
    assert.equal((await one.acquire()).kind, "acquired");
    await one.release("clean", 0);
  }
  const holder = lease();
  assert.equal((await holder.acquire()).kind, "acquired");
  for (let beat = 0; beat < 4; beat++) assert.equal((await holder.prove()).kind, "proved");
  assert.deepEqual(files("claim"), ["4.claim"]);
  assert.equal(files("beat").length, 1);
});
