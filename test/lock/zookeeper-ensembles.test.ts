// Another ensemble answers behind the same names.

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { inspect } from "node:util";
import { randomUUID } from "node:crypto";
import { LockRefused, LockUnknown } from "../../src/errors.ts";
import { ZooKeeperLock } from "../../src/lock/zookeeper/lock.ts";
import { nodes_at } from "../../src/lock/zookeeper/nodes.ts";
import type { Session, ZooKeeperApi, ZooKeeperConnection } from "../../src/lock/zookeeper/api.ts";
import { ZooKeeperSession, type ZooKeeperTarget } from "../../src/lock/zookeeper/session.ts";
import { relay, type Relay } from "../support/relay.ts";
import { requires } from "../support/requires.ts";
import { ensemble, operator, type Ensemble } from "../support/zookeeper.ts";
import { real_time, taken, until } from "./contract.ts";

type Two = { one: Ensemble; other: Ensemble; names: Relay; path: string; target: ZooKeeperTarget };

/** The names lead to the first, until they lead to the other. */
async function two(t: TestContext): Promise<Two | null> {
  if (!requires(t, "zookeeper", "java")) return null;
  const [one, other] = await Promise.all([ensemble({ size: 1 }), ensemble({ size: 1 })]);
  t.after(() => Promise.all([one.end(), other.end()]));
  const names = await relay(t, one.servers[0]?.port ?? 0);
  const path = `/ensembles-${randomUUID()}/lock`;
  const target = { servers: [{ host: "127.0.0.1", port: names.port }], tls: false, path };
  return { one, other, names, path, target };
}

function contender(
  t: TestContext,
  target: ZooKeeperTarget,
  api?: ZooKeeperApi,
): { lock: ZooKeeperLock; lost: string[] } {
  const identity = { holder: "node", instance: randomUUID(), boot_id: "b", address: null, volume_id: null };
  const lost: string[] = [];
  const on_lost = (because: string): unknown => lost.push(because);
  const options = { identity, ttl_ms: 8000, attempt_ms: 1500, time: real_time, on_lost };
  const lock = new ZooKeeperLock(target, options, api);
  t.after(() => lock.close());
  return { lock, lost };
}

async function move(names: Relay, to: Ensemble): Promise<void> {
  await names.aim(to.servers[0]?.port ?? 0);
  await names.cut();
  await names.mend();
}

/** Everything that lies at the lock's path there. */
const left_at = (where: Ensemble, path: string): Promise<string[] | "no-node"> =>
  operator(where.target("/"), (connection) => connection.children(path));

/** As if its session had this number. */
function numbered(connection: ZooKeeperConnection, session: Session): ZooKeeperConnection {
  return new Proxy(connection, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (name === "session") return session;
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** Unknown while the connection breaks; then refused, by this. */
const refused = (ask: () => Promise<unknown>): Promise<LockRefused> =>
  until(async () => {
    const answer = await ask().catch((error: unknown) => error);
    if (answer instanceof LockUnknown) return undefined;
    assert.ok(answer instanceof LockRefused, inspect(answer));
    assert.match(answer.message, /another ensemble/);
    return answer;
  });

test("a holder believes nothing that another ensemble says, and goes on with its own", async (t) => {
  const s = await two(t);
  if (!s) return;
  const { lock, lost } = contender(t, s.target);
  const { token } = await taken(lock);
  await move(s.names, s.other);
  await refused(() => lock.prove());
  assert.deepEqual(lost, []);
  assert.equal(await left_at(s.other, s.path), "no-node");
  await move(s.names, s.one);
  const { kind } = await until(() => lock.prove().catch(() => undefined));
  assert.equal(kind, "proved");
  assert.deepEqual(lost, []);
  assert.equal((await lock.look()).holder?.claim, String(token));
});

test("also when both number their sessions alike, as those do that start in the same millisecond", async (t) => {
  const s = await two(t);
  if (!s) return;
  const real = new ZooKeeperSession(s.target, { attempt_ms: 1500 });
  let first: Session | undefined;
  // Each session that begins has the first one's number.
  const alike: ZooKeeperApi = {
    async connect(options) {
      const answer = await real.connect(options);
      if (answer.kind !== "connected" || options.session) return answer;
      const session = (first ??= answer.connection.session);
      return { kind: "connected", connection: numbered(answer.connection, session) };
    },
  };
  const { lock, lost } = contender(t, s.target, alike);
  await taken(lock);
  await move(s.names, s.other);
  await refused(() => lock.prove());
  assert.deepEqual(lost, []);
  await move(s.names, s.one);
  const { kind } = await until(() => lock.prove().catch(() => undefined));
  assert.equal(kind, "proved");
});

test("also before the record is its own: the session is kept, whatever one server says of it", async (t) => {
  const s = await two(t);
  if (!s) return;
  const before = contender(t, s.one.target(s.path));
  await taken(before.lock);
  await before.lock.release("unclean");
  const { lock } = contender(t, s.target);
  await taken(lock);
  await move(s.names, s.other);
  for (let times = 0; times < 3; times += 1) await assert.rejects(lock.mark(), LockUnknown);
  await move(s.names, s.one);
  await until(() =>
    lock.mark().then(
      () => true,
      (error: unknown) => !(error instanceof LockUnknown),
    ),
  );
  const { kind } = await until(() => lock.prove().catch(() => undefined));
  assert.equal(kind, "proved");
});

test("a standby doesn't take the lock of another ensemble, though it has one of the same name", async (t) => {
  const s = await two(t);
  if (!s) return;
  const holder = contender(t, s.one.target(s.path));
  await taken(holder.lock);
  const { lock } = contender(t, s.target);
  assert.equal((await lock.take()).kind, "busy");
  const there = contender(t, s.other.target(s.path));
  await taken(there.lock);
  await there.lock.release("clean");
  await move(s.names, s.other);
  await refused(() => lock.take());
  await refused(() => lock.wait(AbortSignal.timeout(10_000)));
  assert.ok(!(await left_at(s.other, s.path)).includes("lock"));
  await move(s.names, s.one);
  const again = await until(() => lock.take().catch(() => undefined));
  assert.equal(again.kind, "busy");
});

test("also when its session's number lives there, too, so that it finds itself attached", async (t) => {
  const s = await two(t);
  if (!s) return;
  const real = new ZooKeeperSession(s.target, { attempt_ms: 1500 });
  let moved = false;
  const alike: ZooKeeperApi = {
    async connect(options) {
      const { session, ...rest } = options;
      const answer = await real.connect(moved ? rest : options);
      if (answer.kind !== "connected" || !moved || !session) return answer;
      return { kind: "connected", connection: numbered(answer.connection, session) };
    },
  };
  const holder = contender(t, s.one.target(s.path));
  await taken(holder.lock);
  const { lock } = contender(t, s.target, alike);
  assert.equal((await lock.take()).kind, "busy");
  const there = contender(t, s.other.target(s.path));
  await taken(there.lock);
  await there.lock.release("clean");
  moved = true;
  await move(s.names, s.other);
  await refused(() => lock.take());
  assert.ok(!(await left_at(s.other, s.path)).includes("lock"));
});

test("an operator deletes all of the path: the same ensemble, and nobody is refused", async (t) => {
  const s = await two(t);
  if (!s) return;
  const holder = contender(t, s.target);
  const standby = contender(t, s.target);
  await taken(holder.lock);
  assert.equal((await standby.lock.take()).kind, "busy");
  await operator(s.one.target("/"), async (connection) => {
    const names = await connection.children(s.path);
    assert.ok(names !== "no-node" && names.includes("ensemble"));
    const { contenders } = nodes_at(s.path);
    const below = await connection.children(contenders);
    const all = [...(below === "no-node" ? [] : below.map((name) => `${contenders}/${name}`))];
    all.push(...names.map((name) => `${s.path}/${name}`), s.path);
    assert.equal(await connection.multi(all.map((path) => ({ op: "delete", path }))), "done");
  });
  await until(() => holder.lost.length > 0);
  for (const { lock } of [standby, holder]) {
    const answer = await until(async () => {
      const heard = await lock.take().catch((error: unknown) => assert.ok(error instanceof LockUnknown));
      return heard ?? undefined;
    });
    assert.equal(answer.kind, lock === standby.lock ? "taken" : "busy");
  }
});
