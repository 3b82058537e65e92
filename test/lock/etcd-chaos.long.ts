// Contenders that take, prove, give back and vanish, on members that stop, die and lag: nobody is ever early.
//
//   LEASEHOLD_TEST_SEED     replays the decisions of a run (the servers' own timing stays theirs)
//   LEASEHOLD_TEST_SECONDS  its length

import assert from "node:assert/strict";
import { randomInt, randomUUID } from "node:crypto";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { end_of } from "../../src/core/lease.ts";
import { ms_between } from "../../src/core/time.ts";
import { LockUnknown } from "../../src/errors.ts";
import { EtcdLock } from "../../src/lock/etcd/lock.ts";
import { type Etcd, etcd } from "../support/etcd.ts";
import { requires } from "../support/requires.ts";
import { real_time } from "./contract.ts";

const seed = Number(process.env.LEASEHOLD_TEST_SEED ?? randomInt(2 ** 31));
const seconds = Number(process.env.LEASEHOLD_TEST_SECONDS ?? 600);

/** mulberry32: 0 ≤ number < 1. */
function random_of(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** All tenures, on one clock, and what may never be. */
class Witness {
  readonly figures = { taken: 0, proofs: 0, unknown: 0, lost: 0, least_ms: Number.POSITIVE_INFINITY };
  /** Those that have not been given back, by token: until when each one's last proof says that it is his. */
  readonly #ends = new Map<bigint, bigint>();
  #last = 0n;

  taken(token: bigint, end_ns: bigint): void {
    const now_ns = real_time.now_ns();
    assert.ok(token > this.#last, `token ${token} after ${this.#last}`);
    this.#last = token;
    for (const [other, end_of_other_ns] of this.#ends) {
      const left_ms = ms_between(end_of_other_ns, now_ns);
      assert.ok(left_ms >= 0, `${token} was taken ${-left_ms} ms before the proof of ${other} ended`);
      this.figures.least_ms = Math.min(this.figures.least_ms, left_ms);
    }
    this.figures.taken++;
    this.#ends.clear();
    this.#ends.set(token, end_ns);
  }
  proved(token: bigint, end_ns: bigint): void {
    assert.equal(token, this.#last, "proved although another has taken it");
    this.figures.proofs++;
    this.#ends.set(token, end_ns);
  }
  /** Given back, or about to be: from now on another may have it. */
  free(token: bigint): void {
    this.#ends.delete(token);
  }
  lost(token: bigint): void {
    const end_ns = this.#ends.get(token);
    assert.ok(
      end_ns === undefined || real_time.now_ns() >= end_ns,
      `${token} was lost before its proof ended`,
    );
    this.figures.lost++;
  }
}

test(`nobody is early, for ${seconds} s (seed ${seed})`, async (t) => {
  if (!requires(t, "etcd", "etcdctl")) return;
  const servers = await etcd(t, { members: 3 });
  await servers.ready();
  const witness = new Witness();
  const stop = new AbortController();
  const ending = setTimeout(() => stop.abort(), seconds * 1000);
  const contenders = [1, 2, 3, 4].map((n) => contend(t, servers, random_of(seed + n), witness, stop.signal));
  const all = Promise.all([...contenders, torment(servers, random_of(seed), stop.signal)]);
  try {
    await all;
  } finally {
    clearTimeout(ending);
    stop.abort();
    servers.resume();
  }
  t.diagnostic(JSON.stringify(witness.figures));
  assert.ok(witness.figures.taken > seconds / 20);
});

async function contend(
  t: TestContext,
  servers: Etcd,
  random: () => number,
  witness: Witness,
  stop: AbortSignal,
): Promise<void> {
  while (!stop.aborted) {
    const lock = new EtcdLock(
      { endpoints: servers.endpoints.toSorted(() => random() - 0.5), tls: false, path: "/chaos" },
      {
        identity: { holder: "n", instance: randomUUID(), boot_id: "b", address: null, volume_id: null },
        ttl_ms: 2000,
        attempt_ms: 500,
        time: real_time,
        on_lost: () => {},
      },
    );
    t.after(() => lock.close());
    for (let rounds = Math.ceil(random() * 20); rounds > 0; rounds--) {
      const outcome = await tenure(lock, random, witness);
      if (outcome === "vanished") break;
      if (outcome === "not had")
        await lock.wait(AbortSignal.any([stop, AbortSignal.timeout(1000)])).catch(() => sleep(50));
    }
    await lock.close();
  }
}

/** One tenure, if it can be had. vanished: it is closed without a release. */
async function tenure(
  lock: EtcdLock,
  random: () => number,
  witness: Witness,
): Promise<"not had" | "over" | "vanished"> {
  const known = <T>(asked: Promise<T>): Promise<T | undefined> =>
    asked.catch((error: unknown) => {
      if (!(error instanceof LockUnknown)) throw error;
      witness.figures.unknown++;
      return undefined;
    });
  const answer = await known(lock.take());
  if (answer?.kind !== "taken") return "not had";
  const { token } = answer;
  let end_ns = end_of(answer.proof);
  witness.taken(token, end_ns);
  for (let rounds = Math.floor(random() * 15); rounds > 0; rounds--) {
    await sleep(random() * 500);
    const proof = await known(lock.prove());
    if (proof?.kind === "lost") {
      witness.lost(token);
      return "over";
    }
    if (proof?.kind !== "proved") continue;
    const later_ns = end_of(proof.proof);
    if (later_ns > end_ns) end_ns = later_ns;
    witness.proved(token, end_ns);
  }
  if (random() < 0.5) {
    // Vanishes: the next one has to wait until its proof ends.
    await lock.close();
    await sleep(random() * 3000);
    return "vanished";
  }
  witness.free(token);
  await known(lock.release("clean"));
  return "over";
}

async function torment(servers: Etcd, random: () => number, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    await sleep(random() * 1500);
    const member = servers.members[Math.floor(random() * 3)];
    if (member === undefined) continue;
    if (random() < 0.3) {
      await member.kill();
      await sleep(random() * 2000);
      member.start();
    } else {
      member.stop();
      await sleep(random() * 2500);
      member.resume();
    }
  }
}
