// Standbys in ZooKeeper: those in front keep themselves warm, so that their proof is in the creation of the lock
// (docs/decisions/0019-warm-standby.md); those behind see the end of the lock only.

import assert from "node:assert/strict";
import { after, test, type TestContext } from "node:test";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { end_of } from "../../src/core/lease.ts";
import { ms_between } from "../../src/core/time.ts";
import { LockUnknown } from "../../src/errors.ts";
import type { LockOptions, Taken } from "../../src/lock/lock.ts";
import { ZooKeeperLock } from "../../src/lock/zookeeper/lock.ts";
import { ZooKeeperSession, type ZooKeeperTarget } from "../../src/lock/zookeeper/session.ts";
import { relay } from "../support/relay.ts";
import { requires } from "../support/requires.ts";
import { ensemble, type Ensemble } from "../support/zookeeper.ts";
import { real_time, take_over, taken, until } from "./contract.ts";

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

test("who finds it free, or has only just come, does a whole round", async (t) => {
  const zookeeper = await servers(t);
  if (!zookeeper) return;
  const target = zookeeper.target(fresh_path());
  const first = contender(t, target);
  const asked_ns = real_time.now_ns();
  assert.ok((await taken(first)).proof.t0_ns >= asked_ns);
  await first.release("clean");
  const second = contender(t, target);
  await second.look();
  const again_ns = real_time.now_ns();
  assert.ok((await taken(second)).proof.t0_ns >= again_ns);
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

test("in a crowd those behind don't know when the last renewal was, and say so", async (t) => {
  const zookeeper = await servers(t);
  if (!zookeeper) return;
  const target = zookeeper.target(fresh_path());
  const named = (holder: string): ZooKeeperLock =>
    contender(t, target, {
      ttl_ms: 3000,
      identity: { holder, instance: randomUUID(), boot_id: "", address: null, volume_id: null },
    });
  const holder = named("holder");
  await taken(holder);
  const crowd = ["a", "b", "c", "y", "z"].map(named);
  for (const one of crowd) assert.equal((await one.take()).kind, "busy");
  const [front, behind] = [crowd[0], crowd.at(-1)];
  assert.ok(front && behind);
  const waits = [front.wait(bounded()), behind.wait(bounded())];
  await sleep(500);
  const last = await holder.prove();
  assert.ok(last.kind === "proved");
  await sleep(500);
  await holder.close();
  await Promise.all(waits);
  const { previous_seen_ns: unseen_ns } = await take_over(behind);
  assert.ok(unseen_ns !== null && unseen_ns >= end_of(last.proof), "renewals that it was not told of");
  await behind.release("as-found");
  const { previous_seen_ns: seen_ns } = await take_over(front);
  assert.ok(seen_ns !== null && seen_ns >= last.proof.t0_ns && seen_ns < end_of(last.proof));
});

test("whoever is behind moves up when those in front go, and is told of the lock then", async (t) => {
  const zookeeper = await servers(t);
  if (!zookeeper) return;
  const target = zookeeper.target(fresh_path());
  const ttl_ms = 10_000;
  const named = (holder: string): ZooKeeperLock =>
    contender(t, target, {
      ttl_ms,
      identity: { holder, instance: randomUUID(), boot_id: "", address: null, volume_id: null },
    });
  const holder = named("z");
  await taken(holder);
  const front = ["a", "b", "c"].map(named);
  const behind = ["d", "e"].map(named);
  const abort = new AbortController();
  for (const one of [...front, ...behind]) assert.equal((await one.take()).kind, "busy");
  const gone = front.map((one) => one.wait(abort.signal).catch(() => {}));
  const waits = behind.map((one) => one.wait(bounded()));
  await sleep(500);
  for (const one of front) await one.close();
  abort.abort();
  await Promise.all(gone);
  await sleep(500);
  // Sooner than it would look by itself.
  const soon = new Promise(
    (_, reject) => void setTimeout(reject, ttl_ms / 2, new Error("nobody was told")).unref(),
  );
  await holder.release("clean");
  await Promise.race([...waits, soon]);
  soon.catch(() => {});
  await Promise.race(behind.map((one) => take_over(one)));
});

test("a crowd: one after the other has it, and each that is told is told in the end", async (t) => {
  const zookeeper = await servers(t);
  if (!zookeeper) return;
  const target = zookeeper.target(fresh_path());
  const had = new Set<number>();
  const contend = async (lock: ZooKeeperLock, index: number): Promise<void> => {
    while (!had.has(index)) {
      const answer = await lock.take().catch((error: unknown) => assert.ok(error instanceof LockUnknown));
      if (answer?.kind === "taken") {
        had.add(index);
        await lock.release("clean");
      } else if (answer?.kind === "busy")
        await lock.wait(bounded()).catch((error: unknown) => assert.ok(error instanceof LockUnknown));
      else await sleep(50);
    }
  };
  await Promise.all(Array.from({ length: 12 }, (_, index) => contend(contender(t, target), index)));
  assert.equal(had.size, 12);
});
