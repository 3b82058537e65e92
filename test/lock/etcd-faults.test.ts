// The etcd lock under faults of real servers and networks: members stopped and killed, answers that never come, operators.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { end_of, type Proof } from "../../src/core/lease.ts";
import { LockRefused, LockUnknown } from "../../src/errors.ts";
import type { EtcdApi } from "../../src/lock/etcd/api.ts";
import { EtcdGateway } from "../../src/lock/etcd/gateway.ts";
import { EtcdLock } from "../../src/lock/etcd/lock.ts";
import type { Lock, LockOptions } from "../../src/lock/lock.ts";
import { type Etcd, etcd } from "../support/etcd.ts";
import { type Relay, relay } from "../support/relay.ts";
import { requires } from "../support/requires.ts";
import { real_time, take_over, taken, until } from "./contract.ts";

const path = "/faults";
const attempt_ms = 1000;

function open(
  t: TestContext,
  endpoints: Etcd["endpoints"],
  more: { ttl_ms?: number; api?: EtcdApi } = {},
): { lock: EtcdLock; lost: string[]; notes: string[] } {
  const lost: string[] = [];
  const notes: string[] = [];
  const options: LockOptions = {
    identity: { holder: "n", instance: randomUUID(), boot_id: "b", address: null, volume_id: null },
    ttl_ms: more.ttl_ms ?? 8000,
    attempt_ms,
    time: real_time,
    on_lost: (because) => lost.push(because),
    on_note: (sentence) => notes.push(sentence),
    register: false, // Its requests would be in the way of those that the faults are meant for.
  };
  const lock = new EtcdLock({ endpoints, tls: false, path }, options, more.api);
  t.after(() => lock.close());
  return { lock, lost, notes };
}

/** Asks until it is proved; it must not be lost meanwhile. */
const proved = (lock: Lock): Promise<Proof> =>
  until(async () => {
    const answer = await lock.prove().catch((error: unknown) => {
      if (!(error instanceof LockUnknown)) throw error;
    });
    if (answer?.kind === "lost") throw new Error(answer.because);
    return answer?.kind === "proved" && answer.proof;
  });

type Stored = { create_revision: number; mod_revision: number; lease?: number | bigint; value: string };
function stored(servers: Etcd): Stored | undefined {
  // Its lease is more than a double can hold.
  const exact = servers.ctl(["get", `${path}/lock`, "-w", "json"]).replace(/"lease":(\d+)/, '"lease":"$1"');
  return (JSON.parse(exact) as { kvs?: Stored[] }).kvs?.[0];
}

async function cluster(t: TestContext, members: number): Promise<Etcd | null> {
  if (!requires(t, "etcd", "etcdctl")) return null;
  const servers = await etcd(t, { members });
  await servers.ready();
  return servers;
}

test("the member in use is stopped: the next proof comes from another, long before the lease ends", async (t) => {
  const servers = await cluster(t, 3);
  if (servers === null) return;
  const { lock, notes } = open(t, servers.endpoints);
  const { proof } = await taken(lock);
  servers.members[0]?.stop();
  await proved(lock);
  assert.ok(real_time.now_ns() < end_of(proof));
  assert.match(notes.join("\n"), / failed, .* answers/);
});

test("the leader is killed: it is still ours, and nobody else's", async (t) => {
  const servers = await cluster(t, 3);
  if (servers === null) return;
  const { lock, lost } = open(t, servers.endpoints);
  await taken(lock);
  await servers.leader().kill();
  await proved(lock);
  await proved(lock);
  const other = await open(t, servers.endpoints.toReversed()).lock.take();
  assert.equal(other.kind, "busy");
  assert.deepEqual(lost, []);
});

test("members are stopped and go on at random: the next holder is never early", async (t) => {
  const servers = await cluster(t, 3);
  if (servers === null) return;
  for (let round = 0; round < 4; round++) {
    const { lock } = open(t, servers.endpoints, { ttl_ms: 3000 });
    const next = open(t, servers.endpoints, { ttl_ms: 3000 });
    let { proof } = await take_over(lock);
    const [first, second] = [servers.leader(), servers.members[round % 3]];
    for (const fault of [() => first.stop(), () => {}, () => first.resume(), () => second?.stop()]) {
      fault();
      const answer = await lock.prove().catch((error: unknown) => assert.ok(error instanceof LockUnknown));
      if (answer?.kind === "proved") proof = answer.proof;
      if (answer?.kind === "lost") assert.ok(real_time.now_ns() >= end_of(proof), "lost within its proof");
      if (answer?.kind === "lost") break;
    }
    await lock.close();
    const taking = take_over(next.lock);
    await sleep(500);
    servers.resume();
    await taking;
    assert.ok(real_time.now_ns() >= end_of(proof), "it was another's before the proof ended");
    await next.lock.release("clean");
    await next.lock.close();
  }
});

test("all members stop, for longer than the lease, and go on: proved or lost, no third", async (t) => {
  const servers = await cluster(t, 3);
  if (servers === null) return;
  const { lock } = open(t, servers.endpoints, { ttl_ms: 2000 });
  await taken(lock);
  servers.stop();
  await sleep(2500);
  await assert.rejects(lock.prove(), LockUnknown);
  servers.resume();
  const answer = await until(() => lock.prove().catch(() => undefined));
  if (answer.kind === "lost") await take_over(lock);
  await proved(lock);
});

test("etcd is restarted: still ours; all that it had stored is gone: lost", async (t) => {
  const servers = await cluster(t, 1);
  const [member] = servers?.members ?? [];
  if (!servers || !member) return;
  const { lock, lost } = open(t, servers.endpoints, { ttl_ms: 30_000 });
  await taken(lock);
  await member.kill();
  await assert.rejects(lock.prove(), LockUnknown);
  member.start();
  await proved(lock);
  await member.kill();
  member.wipe();
  member.start();
  const answer = await until(() => lock.prove().catch(() => undefined));
  assert.equal(answer.kind, "lost");
  assert.ok(lost.length <= 1);
});

test("the operator revokes the lease: told at once", async (t) => {
  const servers = await cluster(t, 1);
  if (servers === null) return;
  const { lock, lost } = open(t, servers.endpoints);
  await taken(lock);
  await proved(lock);
  servers.ctl(["lease", "revoke", BigInt(stored(servers)?.lease ?? 0).toString(16)]);
  await until(() => lost.length > 0);
  assert.match(lost.join("\n"), /deleted, or its lease ended/);
  assert.equal((await lock.prove()).kind, "lost");
});

test("the operator overwrites the key: told at once, and what he wrote stays", async (t) => {
  const servers = await cluster(t, 1);
  if (servers === null) return;
  const { lock, lost } = open(t, servers.endpoints);
  await taken(lock);
  await proved(lock);
  servers.ctl(["put", `${path}/lock`, "mine"]);
  await until(() => lost.length > 0);
  assert.match(lost.join("\n"), /overwritten/);
  assert.equal((await lock.prove()).kind, "lost");
  await lock.release("clean");
  assert.equal(Buffer.from(stored(servers)?.value ?? "", "base64").toString(), "mine");
});

test("the endpoints are of two clusters: refused", async (t) => {
  const one = await cluster(t, 1);
  const two = await cluster(t, 1);
  if (!one || !two) return;
  const { lock } = open(t, [...one.endpoints, ...two.endpoints]);
  await taken(lock);
  one.stop();
  await assert.rejects(lock.prove(), LockUnknown);
  await assert.rejects(
    lock.prove(),
    (error) => error instanceof LockRefused && /another cluster/.test(error.message),
  );
});

test("the member that a standby watches stops: he hears of the release all the same", async (t) => {
  const servers = await cluster(t, 3);
  const [watched] = servers?.members ?? [];
  if (!servers || !watched) return;
  const holder = open(t, servers.endpoints.slice(1));
  await taken(holder.lock);
  const standby = open(t, servers.endpoints, { ttl_ms: 2000 });
  assert.equal((await standby.lock.take()).kind, "busy");
  const heard = (async (): Promise<void> => {
    const bounded = AbortSignal.timeout(30_000);
    for (let again = true; again;)
      again = await standby.lock.wait(bounded).then(
        () => false,
        (error: unknown) => error instanceof LockUnknown || Promise.reject(error as Error),
      );
  })();
  await sleep(500);
  watched.stop();
  await proved(holder.lock);
  await holder.lock.release("clean");
  await heard;
  await take_over(standby.lock);
});

// ---- transactions whose answer never comes, and that are applied later ----

/** A lock whose transactions can be made to stick on the way, before etcd has them. The next request goes another way. */
async function sticky(t: TestContext): Promise<{
  servers: Etcd;
  lock: EtcdLock;
  lost: string[];
  way: Relay;
  stick: () => void;
  stuck: () => boolean;
} | null> {
  const servers = await cluster(t, 1);
  if (servers === null) return null;
  const [direct] = servers.endpoints;
  assert.ok(direct);
  const way = await relay(t, direct.port);
  const endpoints = [{ host: "127.0.0.1", port: way.port }, direct];
  const gateway = new EtcdGateway({ endpoints, tls: false, path }, { attempt_ms });
  const state = { stick: false, stuck: false };
  const api: EtcdApi = {
    grant: (ttl_s) => gateway.grant(ttl_s),
    revoke: (lease) => gateway.revoke(lease),
    keep_alive: (lease) => gateway.keep_alive(lease),
    range: (key, options) => gateway.range(key, options),
    count: (prefix) => gateway.count(prefix),
    keys: (prefix) => gateway.keys(prefix),
    watch: (key, after, on_event, abort) => gateway.watch(key, after, on_event, abort),
    close: () => gateway.close(),
    async txn(compare, success, failure) {
      if (state.stick && success.some(({ op }) => op !== "get")) {
        state.stick = false;
        await way.hold("up");
        state.stuck = true;
      }
      return gateway.txn(compare, success, failure);
    },
  };
  const { lock, lost } = open(t, endpoints, { ttl_ms: 30_000, api });
  return { servers, lock, lost, way, stick: () => (state.stick = true), stuck: () => state.stuck };
}

test("a rotation is applied without an answer: the next proof takes it from there", async (t) => {
  const s = await sticky(t);
  if (s === null) return;
  const { proof: first } = await taken(s.lock);
  const before = stored(s.servers);
  s.stick();
  await assert.rejects(s.lock.prove(), LockUnknown);
  assert.ok(s.stuck());
  const second_ns = real_time.now_ns();
  assert.deepEqual(stored(s.servers), before);
  await s.way.let_go();
  await until(() => stored(s.servers)?.mod_revision !== before?.mod_revision);
  const own = await proved(s.lock);
  assert.ok(
    own.t0_ns > first.t0_ns && own.t0_ns < second_ns,
    "the proof is that of the lease on which the key lies",
  );
  const third = await proved(s.lock);
  assert.ok(third.t0_ns > second_ns);
  assert.deepEqual(s.lost, []);
});

test("a rotation that is applied after a later one changes nothing", async (t) => {
  const s = await sticky(t);
  if (s === null) return;
  await taken(s.lock);
  s.stick();
  await assert.rejects(s.lock.prove(), LockUnknown);
  await proved(s.lock);
  const after = stored(s.servers);
  await s.way.let_go();
  await sleep(500);
  assert.deepEqual(stored(s.servers), after);
  await proved(s.lock);
  assert.deepEqual(s.lost, []);
});

test("taken without an answer: the next take finds it ours, with the lease that it lies on", async (t) => {
  const s = await sticky(t);
  if (s === null) return;
  s.stick();
  const before_ns = real_time.now_ns();
  await assert.rejects(s.lock.take(), LockUnknown);
  const after_ns = real_time.now_ns();
  await s.way.let_go();
  const key = await until(() => stored(s.servers));
  const { token, proof, previous } = await taken(s.lock);
  assert.equal(token, BigInt(key.create_revision));
  assert.ok(proof.t0_ns >= before_ns && proof.t0_ns < after_ns);
  assert.equal(previous, null);
  await proved(s.lock);
  await s.lock.release("clean");
  assert.equal(stored(s.servers), undefined);
});

test("taken anew, released, and only then the first attempt arrives: the lock stays free", async (t) => {
  const s = await sticky(t);
  if (s === null) return;
  s.stick();
  await assert.rejects(s.lock.take(), LockUnknown);
  await taken(s.lock);
  await s.lock.release("clean");
  await s.way.let_go();
  await sleep(500);
  assert.equal(stored(s.servers), undefined);
});

test("given up after an attempt without an answer: it is free, whenever the attempt arrives", async (t) => {
  const s = await sticky(t);
  if (s === null) return;
  s.stick();
  await assert.rejects(s.lock.take(), LockUnknown);
  await s.lock.release("unclean");
  await s.way.let_go();
  await sleep(500);
  assert.equal(stored(s.servers), undefined);
});

test("a release without an answer is asked again, and the next holder keeps the lock", async (t) => {
  const s = await sticky(t);
  if (s === null) return;
  await taken(s.lock);
  s.stick();
  await assert.rejects(s.lock.release("clean"), LockUnknown);
  await s.lock.release("clean");
  const next = open(t, s.servers.endpoints);
  await taken(next.lock);
  await s.way.let_go();
  await sleep(500);
  await proved(next.lock);
  assert.deepEqual(next.lost, []);
  assert.deepEqual(s.lost, []);
});

test("a release without an answer is finished before the lock is taken anew: it can't take away what comes after", async (t) => {
  const s = await sticky(t);
  if (s === null) return;
  const { token } = await taken(s.lock);
  s.stick();
  await assert.rejects(s.lock.release("clean"), LockUnknown);
  assert.equal((await s.lock.prove()).kind, "lost");
  const second = await taken(s.lock);
  assert.ok(second.token > token);
  assert.equal(second.previous?.state, "clean");
  await s.way.let_go();
  await sleep(500);
  await proved(s.lock);
  assert.deepEqual(s.lost, []);
});

test("cut and mended again and again: the proofs go on", async (t) => {
  const s = await sticky(t);
  if (s === null) return;
  await taken(s.lock);
  for (let round = 0; round < 5; round++) {
    await s.way.cut();
    await proved(s.lock);
    await s.way.mend();
    await proved(s.lock);
  }
});
