// What servers, networks and operators do to a lock in ZooKeeper, beyond the contract.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { once } from "node:events";
import { after, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { end_of } from "../../src/core/lease.ts";
import { LockRefused, LockUnknown } from "../../src/errors.ts";
import type { LockOptions, Proved } from "../../src/lock/lock.ts";
import { ZooKeeperLock } from "../../src/lock/zookeeper/lock.ts";
import { nodes_at } from "../../src/lock/zookeeper/nodes.ts";
import { ZooKeeperSession, type ZooKeeperTarget } from "../../src/lock/zookeeper/session.ts";
import { relay } from "../support/relay.ts";
import { requires } from "../support/requires.ts";
import { ensemble, free_ports, operator, type Ensemble } from "../support/zookeeper.ts";
import { real_time, take_over, taken, until } from "./contract.ts";

const running = new Map<1 | 3, Promise<Ensemble>>();
after(async () => {
  for (const started of running.values()) await (await started).end();
});

/** The file's servers, shared by its tests; null: skipped. */
async function servers(t: TestContext, size: 1 | 3): Promise<Ensemble | null> {
  if (!requires(t, "zookeeper", "java")) return null;
  const started = running.get(size) ?? ensemble({ size });
  running.set(size, started);
  return started;
}

type Contender = { lock: ZooKeeperLock; lost: string[]; instance: string };

function contender(t: TestContext, target: ZooKeeperTarget, more: Partial<LockOptions> = {}): Contender {
  const lost: string[] = [];
  const instance = randomUUID();
  const identity = { holder: "node-1", instance, boot_id: "boot-1", address: null, volume_id: null };
  const on_lost = (because: string): unknown => lost.push(because);
  const options = { identity, ttl_ms: 6000, attempt_ms: 1500, time: real_time, on_lost, ...more };
  const lock = new ZooKeeperLock(target, options);
  t.after(() => lock.close());
  return { lock, lost, instance };
}

const fresh_path = (): string => `/faults-${randomUUID()}/lock`;

/** Asked again while the answer is unknown; a loss is the test's failure. */
const proved = (lock: ZooKeeperLock): Promise<Proved> =>
  until(async () => {
    const answer = await lock.prove().catch((error: unknown) => assert.ok(error instanceof LockUnknown));
    assert.notEqual(answer?.kind, "lost", answer?.kind === "lost" ? answer.because : "");
    return answer?.kind === "proved" && answer;
  });

/** Which server a lock uses now: the only one that its target names. */
const only = (target: ZooKeeperTarget, port: number): ZooKeeperTarget => ({
  ...target,
  servers: [{ host: "127.0.0.1", port }],
});

for (const [role, act] of [
  ["a follower", "stopped"],
  ["the leader", "stopped"],
  ["the leader", "killed"],
] as const) {
  test(`${role} is ${act}: the proof comes from the others, and nobody takes it meanwhile`, async (t) => {
    const zookeeper = await servers(t, 3);
    if (!zookeeper) return;
    const path = fresh_path();
    const { lock } = contender(t, zookeeper.target(path), { ttl_ms: 10_000 });
    await taken(lock);
    const modes = await Promise.all(zookeeper.servers.map(({ mode }) => mode()));
    const victim = zookeeper.servers[modes.indexOf(role === "the leader" ? "leader" : "follower")];
    assert.ok(victim);
    const [other] = zookeeper.servers.filter((server) => server !== victim);
    if (act === "stopped") victim.stop();
    else await victim.kill();
    t.after(async () => {
      if (act === "stopped") victim.resume();
      else await victim.start();
      await until(async () =>
        (await Promise.all(zookeeper.servers.map(({ mode }) => mode()))).includes("leader"),
      );
      await until(async () => (await victim.mode()) !== null);
    });
    const asked_ns = real_time.now_ns();
    const { proof } = await proved(lock);
    assert.ok(proof.t0_ns >= asked_ns);
    const rival = contender(t, only(zookeeper.target(path), other?.port ?? 0));
    const busy = await until(() => rival.lock.take().catch(() => undefined));
    assert.equal(busy.kind, "busy");
  });
}

test("all servers are killed and come back: the session, and so the lock, is still there", async (t) => {
  const zookeeper = await servers(t, 3);
  if (!zookeeper) return;
  const { lock } = contender(t, zookeeper.target(fresh_path()), { ttl_ms: 10_000 });
  const { token } = await taken(lock);
  await Promise.all(zookeeper.servers.map((server) => server.kill()));
  await assert.rejects(lock.prove(), LockUnknown);
  await Promise.all(zookeeper.servers.map((server) => server.start()));
  await proved(lock);
  const { claim } = (await lock.look()).holder ?? {};
  assert.equal(claim, String(token));
});

test("a server that only reads is no server: it proves nothing and shows nothing", async (t) => {
  if (!requires(t, "zookeeper", "java")) return;
  const zookeeper = await ensemble({ size: 3, jvm: ["-Dreadonlymode.enabled=true"] });
  t.after(() => zookeeper.end());
  const path = fresh_path();
  const { lock } = contender(t, zookeeper.target(path), { ttl_ms: 10_000 });
  await taken(lock);
  const [left, ...others] = zookeeper.servers;
  await Promise.all(others.map((server) => server.kill()));
  await until(async () => (await left?.mode()) === "read-only");
  await assert.rejects(lock.prove(), LockUnknown);
  const { lock: other } = contender(t, only(zookeeper.target(path), left?.port ?? 0));
  await assert.rejects(other.take(), LockUnknown);
  await assert.rejects(other.look(), LockUnknown);
});

test("the session is ended by somebody else: lost for certain", async (t) => {
  const zookeeper = await servers(t, 1);
  if (!zookeeper) return;
  const { lock, lost } = contender(t, zookeeper.target(fresh_path()));
  await taken(lock);
  const { session } = JSON.parse(lock.release_record()) as { session: { id: string; password: string } };
  const api = new ZooKeeperSession(zookeeper.target("/"), { attempt_ms: 1500 });
  // Whoever attaches last has the session; the lock's own rounds may come in between.
  await until(async () => {
    try {
      const again = await api.connect({
        session: { id: BigInt(session.id), password: Buffer.from(session.password, "base64") },
        timeout_ms: 6000,
        on_sent: () => {},
        on_event: () => {},
      });
      if (again.kind === "connected") await again.connection.close_session();
      return true;
    } catch (error) {
      assert.ok(error instanceof LockUnknown);
      return false;
    }
  });
  // The server breaks the connections of a session that it ends, also one that has just come.
  const answer = await until(() =>
    lock.prove().catch((error: unknown) => {
      assert.ok(error instanceof LockUnknown);
      return undefined;
    }),
  );
  assert.equal(answer.kind, "lost");
  assert.ok(lost.length <= 1);
  await take_over(lock);
});

test("the session expires while nothing can be sent: lost, and another's no sooner than the proof's end", async (t) => {
  const zookeeper = await servers(t, 1);
  if (!zookeeper) return;
  const path = fresh_path();
  const between = await relay(t, zookeeper.servers[0]?.port ?? 0);
  const { lock } = contender(t, only(zookeeper.target(path), between.port), { ttl_ms: 3000 });
  const rival = contender(t, zookeeper.target(path));
  const { proof } = await taken(lock);
  between.stop();
  await assert.rejects(lock.prove(), LockUnknown);
  await take_over(rival.lock);
  assert.ok(real_time.now_ns() >= end_of(proof), "it was another's before the proof ended");
  between.resume();
  const answer = await until(() => lock.prove().catch(() => undefined));
  assert.equal(answer.kind, "lost");
});

test("the lock is deleted and made anew by another: told once, lost, and his is left alone", async (t) => {
  const zookeeper = await servers(t, 1);
  if (!zookeeper) return;
  const path = fresh_path();
  const a = contender(t, zookeeper.target(path));
  const b = contender(t, zookeeper.target(path));
  await taken(a.lock);
  await operator(zookeeper.target(path), async (connection) => {
    await connection.multi([{ op: "delete", path: nodes_at(path).lock }]);
  });
  await taken(b.lock);
  await until(() => a.lost.length > 0);
  assert.equal((await a.lock.prove()).kind, "lost");
  assert.equal(a.lost.length, 1);
  assert.equal((await b.lock.look()).holder?.instance, b.instance);
});

test("an operator writes into the lock: it stays ours, and says so again after the next proof", async (t) => {
  const zookeeper = await servers(t, 1);
  if (!zookeeper) return;
  const path = fresh_path();
  const { lock, lost, instance } = contender(t, zookeeper.target(path));
  await taken(lock);
  await operator(zookeeper.target(path), async (connection) => {
    await connection.set(nodes_at(path).lock, "hello");
  });
  await proved(lock);
  assert.equal((await lock.look()).holder?.instance, instance);
  assert.deepEqual(lost, []);
});

for (const [what, hold] of [
  ["the request", "up"],
  ["the answer", "down"],
] as const) {
  test(`${what} of a take-over is lost: the next try finds out, and the record before counts`, async (t) => {
    const zookeeper = await servers(t, 1);
    if (!zookeeper) return;
    const path = fresh_path();
    const before = contender(t, zookeeper.target(path));
    const first = await taken(before.lock);
    let last: "clean" | "unclean" = "unclean";
    await before.lock.release(last);
    const between = await relay(t, zookeeper.servers[0]?.port ?? 0);
    // Each try gets a little further through its requests before the connection breaks.
    for (let wait_ms = 0; wait_ms < 40; wait_ms += 4) {
      const { lock } = contender(t, only(zookeeper.target(path), between.port), { attempt_ms: 600 });
      await lock.look();
      const attempt = lock.take().catch((error: unknown) => assert.ok(error instanceof LockUnknown));
      await sleep(wait_ms);
      await between.hold(hold);
      await sleep(30);
      await between.cut();
      await between.let_go();
      await between.mend();
      const answer = await attempt;
      const { previous, token } = answer?.kind === "taken" ? answer : await take_over(lock);
      assert.equal(previous?.state, last, "the record that the lost try wrote");
      assert.ok(token > first.token);
      last = last === "clean" ? "unclean" : "clean";
      await lock.release(last);
    }
  });
}

test("an operator deletes the record while the lock is held: the next proof writes it anew", async (t) => {
  const zookeeper = await servers(t, 1);
  if (!zookeeper) return;
  const path = fresh_path();
  const { lock, instance } = contender(t, zookeeper.target(path));
  const { token } = await taken(lock);
  const { record } = nodes_at(path);
  await operator(zookeeper.target(path), (connection) => connection.multi([{ op: "delete", path: record }]));
  await proved(lock);
  const view = await lock.look();
  assert.deepEqual([view.record?.instance, view.record?.claim], [instance, String(token)]);
  await lock.release("clean");
  assert.equal((await lock.look()).record?.state, "clean");
});

test("what an earlier run that died had is told with its token", async (t) => {
  const zookeeper = await servers(t, 1);
  if (!zookeeper) return;
  const path = fresh_path();
  const dead = contender(t, zookeeper.target(path), { ttl_ms: 2000 });
  const { token } = await taken(dead.lock);
  await dead.lock.close();
  const { previous } = await take_over(contender(t, zookeeper.target(path)).lock);
  assert.equal(previous?.instance, dead.instance);
  assert.deepEqual([previous.state, previous.claim], ["running", String(token)]);
});

const refused =
  (pattern: RegExp) =>
  (error: unknown): boolean =>
    error instanceof LockRefused && pattern.test(error.message);

test("a lock made with a user is nobody else's to take, read or release", async (t) => {
  const zookeeper = await servers(t, 1);
  if (!zookeeper) return;
  const target = zookeeper.target(fresh_path());
  const credentials = { user: "leasehold", password: "right" };
  const { lock } = contender(t, target, { credentials });
  await taken(lock);
  await proved(lock);
  for (const other of [{}, { user: "leasehold", password: "wrong" }, { user: "other", password: "right" }]) {
    const rival = contender(t, target, { credentials: other }).lock;
    await assert.rejects(rival.take(), (error: Error) => {
      assert.doesNotMatch(error.message, /right|wrong/);
      return refused(/permits no access/)(error);
    });
    await assert.rejects(rival.look(), refused(/permits no access/));
  }
  const same = contender(t, target, { credentials }).lock;
  assert.equal((await same.take()).kind, "busy");
  await lock.release("clean");
  await taken(same);
});

test("where nothing may be created, that is said", async (t) => {
  const zookeeper = await servers(t, 1);
  if (!zookeeper) return;
  const path = fresh_path();
  const credentials = { user: "owner", password: "x" };
  const owner = contender(t, zookeeper.target(path), { credentials });
  await taken(owner.lock);
  const below = contender(t, zookeeper.target(`${path}/below`));
  await assert.rejects(below.lock.take(), refused(/permits no access/));
});

test("a server that is not ZooKeeper is named", async (t) => {
  const http = createServer((_, response) => response.end("hello")).listen(0, "127.0.0.1");
  await once(http, "listening");
  t.after(() => http.close());
  const address = http.address();
  assert.ok(typeof address === "object" && address !== null);
  const target = { servers: [{ host: "127.0.0.1", port: address.port }], tls: false, path: "/x" };
  await assert.rejects(contender(t, target).lock.take(), refused(/does not speak ZooKeeper's protocol/));
});

test("a port where nobody listens, and a name that doesn't resolve, are unknown", async (t) => {
  const [port = 0] = await free_ports(1);
  for (const server of [
    { host: "127.0.0.1", port },
    { host: "zookeeper.invalid", port: 2181 },
  ]) {
    const { lock } = contender(t, { servers: [server], tls: false, path: "/x" });
    await assert.rejects(lock.take(), LockUnknown);
    await assert.rejects(lock.wait(AbortSignal.timeout(10_000)), LockUnknown);
  }
});

test("a standby waits through broken connections", async (t) => {
  const zookeeper = await servers(t, 1);
  if (!zookeeper) return;
  const path = fresh_path();
  const between = await relay(t, zookeeper.servers[0]?.port ?? 0);
  const holder = contender(t, zookeeper.target(path));
  const standby = contender(t, only(zookeeper.target(path), between.port), { register: true });
  await taken(holder.lock);
  assert.equal((await standby.lock.take()).kind, "busy");
  let heard = false;
  const abort = AbortSignal.timeout(30_000);
  const waiting = until(async () => {
    await standby.lock.wait(abort).catch((error: unknown) => {
      if (!(error instanceof LockUnknown)) throw error;
      return sleep(50, undefined);
    });
    heard = (await standby.lock.take().catch(() => null))?.kind === "taken";
    return heard;
  });
  for (let times = 0; times < 3; times += 1) {
    await sleep(100);
    await between.cut();
    await sleep(100);
    await between.mend();
    await holder.lock.prove();
  }
  assert.equal(heard, false);
  await holder.lock.release("clean");
  await waiting;
  assert.equal((await standby.lock.look()).contenders.length, 1);
});

test("one server of those named is enough, whichever", async (t) => {
  const zookeeper = await servers(t, 1);
  if (!zookeeper) return;
  const target = zookeeper.target(fresh_path());
  const dead = (await free_ports(2)).map((port) => ({ host: "127.0.0.1", port }));
  const { lock } = contender(t, { ...target, servers: [...dead, ...target.servers] });
  await taken(lock);
  for (let rounds = 0; rounds < 3; rounds += 1) assert.equal((await lock.prove()).kind, "proved");
  await lock.release("clean");
});

test("what the server grants is what is proved, and is noted", async (t) => {
  const zookeeper = await servers(t, 1);
  if (!zookeeper) return;
  const notes: string[] = [];
  const { lock } = contender(t, zookeeper.target(fresh_path()), {
    ttl_ms: 3_600_000,
    on_note: (sentence) => notes.push(sentence),
  });
  const { proof } = await taken(lock);
  assert.equal(proof.bound_ms, 10_000, "20 ticks are the most");
  assert.equal((await lock.prove()).kind, "proved");
  assert.deepEqual(notes, ["ZooKeeper grants a session timeout of 10000 ms, not 3600000"]);
});
