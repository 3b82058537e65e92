// Standbys in ZooKeeper: those in front keep themselves warm, so that their proof is in the creation of the lock
// (docs/decisions/0019-warm-standby.md).

import assert from "node:assert/strict";
import { after, test, type TestContext } from "node:test";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { end_of } from "../../src/core/lease.ts";
import { ms_between } from "../../src/core/time.ts";
import { LockUnknown } from "../../src/errors.ts";
import type { LockOptions, Taken } from "../../src/lock/lock.ts";
import { ZooKeeperLock } from "../../src/lock/zookeeper/lock.ts";
import { next_look_ms } from "../../src/lock/zookeeper/warmth.ts";
import { ZooKeeperSession, type ZooKeeperTarget } from "../../src/lock/zookeeper/session.ts";
import { relay } from "../support/relay.ts";
import { requires } from "../support/requires.ts";
import { ensemble, type Ensemble } from "../support/zookeeper.ts";
import { real_time, take_over, taken, until } from "./contract.ts";
import { crowd } from "./crowd.ts";

let started: Promise<Ensemble> | undefined;
after(async () => (await started)?.end());

async function servers(t: TestContext): Promise<Ensemble | null> {
  if (!requires(t, "zookeeper", "java")) return null;
  return (started ??= ensemble({ size: 1 }));
}
const fresh_path = (): string => `/standby-${randomUUID()}/lock`;

function contender(t: TestContext, target: ZooKeeperTarget, more: Partial<LockOptions> = {}): ZooKeeperLock {
  const identity = {
    ...{ holder: "node", instance: randomUUID(), boot_id: "boot-1", address: null, volume_id: null },
    ...more.identity,
  };
  const options = { ttl_ms: 6000, attempt_ms: 1500, time: real_time, on_lost: () => {}, ...more, identity };
  const lock = new ZooKeeperLock(target, options);
  t.after(() => lock.close());
  return lock;
}
const bounded = (): AbortSignal => AbortSignal.timeout(60_000);

/** It waits for long enough to be warm, and then for the release of the other. */
async function hand_over(from: ZooKeeperLock, to: ZooKeeperLock, wait_ms: number): Promise<Taken> {
  assert.equal((await to.take()).kind, "busy");
  const waited = to.wait(bounded());
  await sleep(wait_ms);
  await from.release("clean");
  await waited;
  return taken(to);
}

test("the proof of who waited is in the creation: it began before, and nobody has the lock before its end", async (t) => {
  const zookeeper = await servers(t);
  if (!zookeeper) return;
  const target = zookeeper.target(fresh_path());
  const between = await relay(t, zookeeper.servers[0]?.port ?? 0);
  const holder = contender(t, target);
  await taken(holder);
  const standby = contender(t, { ...target, servers: [{ host: "127.0.0.1", port: between.port }] });
  assert.equal((await standby.take()).kind, "busy");
  const waited = standby.wait(bounded());
  await sleep(500);
  await holder.release("clean");
  await waited;
  const asked_ns = real_time.now_ns();
  const { proof, token, previous } = await taken(standby);
  assert.ok(proof.t0_ns < asked_ns, "it did a whole round");
  assert.ok(proof.bound_ms <= 6000);
  assert.equal(previous?.state, "clean");
  const { holder: shown } = await until(async () => {
    const view = await contender(t, target, { register: false }).look();
    return view.holder?.claim !== "" && view;
  });
  assert.equal(shown?.claim, String(token), "the token is written down, although nobody waited for it");
  // From here on nothing of the standby's reaches the server.
  between.stop();
  const rival = contender(t, target);
  const { previous: last } = await take_over(rival);
  assert.ok(real_time.now_ns() >= end_of(proof), "it was another's before the proof ended");
  assert.equal(last?.claim, String(token));
});

test("who begins a session and finds the lock free needs no round: nobody has it before that proof's end", async (t) => {
  const zookeeper = await servers(t);
  if (!zookeeper) return;
  const target = zookeeper.target(fresh_path());
  const between = await relay(t, zookeeper.servers[0]?.port ?? 0);
  const first = contender(t, { ...target, servers: [{ host: "127.0.0.1", port: between.port }] });
  // The session begins here.
  const asked_ns = real_time.now_ns();
  await first.look();
  const looked_ns = real_time.now_ns();
  const { proof } = await taken(first);
  assert.ok(proof.t0_ns >= asked_ns && proof.t0_ns <= looked_ns, "it did a whole round");
  between.stop();
  await take_over(contender(t, target));
  assert.ok(real_time.now_ns() >= end_of(proof), "it was another's before the proof ended");
});

test("whose session is attached anew, and has only just been, does a whole round", async (t) => {
  const zookeeper = await servers(t);
  if (!zookeeper) return;
  const target = zookeeper.target(fresh_path());
  const between = await relay(t, zookeeper.servers[0]?.port ?? 0);
  const lock = contender(t, { ...target, servers: [{ host: "127.0.0.1", port: between.port }] });
  await lock.look();
  await between.cut();
  await between.mend();
  await until(() => lock.look().catch((error: unknown) => assert.ok(error instanceof LockUnknown)));
  const again_ns = real_time.now_ns();
  assert.ok((await taken(lock)).proof.t0_ns >= again_ns);
});

test("however long it waits, its proof is a young one, and the next round renews it", async (t) => {
  const zookeeper = await servers(t);
  if (!zookeeper) return;
  const target = zookeeper.target(fresh_path());
  const holder = contender(t, target, { ttl_ms: 4000 });
  const standby = contender(t, target, { ttl_ms: 4000 });
  await taken(holder);
  const renewing = setInterval(() => void holder.prove().catch(() => {}), 600);
  t.after(() => clearInterval(renewing));
  const { proof } = await hand_over(holder, standby, 5000);
  assert.ok(ms_between(proof.t0_ns, real_time.now_ns()) < 4000 / 2);
  const renewed = await standby.prove();
  assert.ok(renewed.kind === "proved" && renewed.proof.t0_ns > proof.t0_ns);
});

test("its session is attached elsewhere meanwhile: what it knew of the connection proves nothing", async (t) => {
  const zookeeper = await servers(t);
  if (!zookeeper) return;
  const target = zookeeper.target(fresh_path());
  const holder = contender(t, target);
  const standby = contender(t, target);
  await taken(holder);
  assert.equal((await standby.take()).kind, "busy");
  await sleep(500);
  const { session } = JSON.parse(standby.release_record()) as { session: { id: string; password: string } };
  const thief = await new ZooKeeperSession(target, { attempt_ms: 1500 }).connect({
    session: { id: BigInt(session.id), password: Buffer.from(session.password, "base64") },
    ...{ timeout_ms: 6000, on_sent: () => {}, on_event: () => {} },
  });
  assert.equal(thief.kind, "connected");
  await holder.release("clean");
  const asked_ns = real_time.now_ns();
  const { proof } = await until(async () => {
    const answer = await standby.take().catch((error: unknown) => assert.ok(error instanceof LockUnknown));
    return answer?.kind === "taken" && answer;
  });
  assert.ok(proof.t0_ns >= asked_ns);
});

test("a holder falls silent for good: its standby sees the end, however it keeps itself warm", async (t) => {
  const zookeeper = await servers(t);
  if (!zookeeper) return;
  const port = zookeeper.servers[0]?.port ?? 0;
  const [theirs, ours] = [await relay(t, port), await relay(t, port)];
  const pairs = Array.from({ length: 10 }, () => {
    const target = zookeeper.target(fresh_path());
    const by = ({ port }: { port: number }): ZooKeeperLock =>
      contender(t, { ...target, servers: [{ host: "127.0.0.1", port }] });
    return { holder: by(theirs), standby: by(ours) };
  });
  await Promise.all(pairs.map(({ holder }) => taken(holder)));
  for (const { standby } of pairs) assert.equal((await standby.take()).kind, "busy");
  await ours.delay(60); // a new connection, and its watch, take half a second
  const waits = pairs.map(({ standby }) => standby.wait(bounded()));
  await sleep(2000);
  await Promise.all(pairs.map(({ holder }) => holder.prove()));
  theirs.stop();
  const silent_ns = real_time.now_ns();
  await Promise.all(waits);
  const takes = await Promise.all(pairs.map(({ standby }) => taken(standby)));
  for (const { previous_seen_ns } of takes) {
    const later_ms = ms_between(silent_ns, previous_seen_ns ?? 0n);
    assert.ok(
      later_ms < 3000,
      `it counts the last holder's lease from ${later_ms} ms after its last renewal`,
    );
  }
});

test("the watch is not broken while a silent holder's lease may end", () => {
  const lease_ms = 10_000;
  const looks_after = (left_ms: number, silent_ms: number): number =>
    next_look_ms(left_ms, silent_ms, lease_ms);
  assert.equal(looks_after(2500, 0), 2500);
  assert.equal(looks_after(2500, 4900), 2500);
  assert.equal(looks_after(2500, 5100), 9900);
  assert.equal(looks_after(-100, 8000), 7000);
  assert.equal(looks_after(2500, 16_000), 2500);
  assert.equal(looks_after(-100, 16_000), 0);
});

crowd("ZooKeeper", async (t) => {
  const zookeeper = await servers(t);
  if (!zookeeper) return null;
  const target = zookeeper.target(fresh_path());
  return (name, ttl_ms) =>
    contender(t, target, {
      ttl_ms,
      identity: { holder: name, instance: randomUUID(), boot_id: "", address: null, volume_id: null },
    });
});
