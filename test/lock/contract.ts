// The contract of src/lock/lock.ts, as tests that every backend passes on its real servers.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { end_of } from "../../src/core/lease.ts";
import { type LockRecord, record_format } from "../../src/core/record.ts";
import type { Time } from "../../src/core/time.ts";
import { LockRefused, LockUnknown } from "../../src/errors.ts";
import type { Busy, Lock, LockOptions, Taken } from "../../src/lock/lock.ts";

/** Real servers, and what an operator can do to them. Paths are as in a URL: "/a/b". */
export type Backend = {
  /** The shortest lease that these servers grant, with some room for a slow machine. */
  ttl_ms: number;
  attempt_ms: number;
  /** A contender. Opens no connection yet. */
  open(path: string, options: LockOptions): Lock;
  /** What the release program does, with a release_record(). */
  release(record_json: string): Promise<void>;
  /** By the operator: the lock is deleted. */
  delete_lock(path: string): Promise<void>;
  /** By the operator, where others can write: the lock is overwritten by foreign data; the record is replaced by this text. */
  foreign?: {
    overwrite_lock(path: string, text: string): Promise<void>;
    write_record(path: string, text: string): Promise<void>;
  };
  /** All servers stop answering (SIGSTOP), and go on. */
  stop(): void;
  resume(): void;
  /** The service itself tells of the last proof, whether it was watched or not. */
  knows_all?: true;
  /** After an unclean end, whose writes may still be on the way, a whole lease is waited for. */
  waits_out?: true;
};

/** Starts the servers, once for the whole suite; null: a tool is missing, and the test is skipped. */
export type Make = (t: TestContext) => Promise<Backend | null>;

export const real_time: Time = {
  now_ns: () => process.hrtime.bigint(),
  after(delay_ms, callback) {
    const timer = setTimeout(callback, delay_ms);
    return () => clearTimeout(timer);
  },
};

type Contender = { lock: Lock; lost: string[]; instance: string };

/** A contender that is closed after the test. */
function contender(
  t: TestContext,
  backend: Backend,
  path: string,
  more: Partial<LockOptions> = {},
): Contender {
  const lost: string[] = [];
  const instance = randomUUID();
  const identity = { holder: "node-1", instance, boot_id: "boot-1", address: null, volume_id: null };
  const { ttl_ms, attempt_ms } = backend;
  const on_lost = (because: string): unknown => lost.push(because);
  const lock = backend.open(path, { identity, ttl_ms, attempt_ms, time: real_time, on_lost, ...more });
  t.after(() => lock.close());
  return { lock, lost, instance };
}

export async function taken(lock: Lock): Promise<Taken> {
  const answer = await lock.take();
  assert.equal(answer.kind, "taken", "the lock is another's");
  return answer;
}

/** Waits, within bounds, until it gives something else than undefined and false. */
export async function until<T>(
  look: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  for (const end = Date.now() + 30_000; Date.now() < end; await sleep(20)) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
  }
  throw new Error("it did not come within 30 s");
}

/** Asks again as long as the answer is unknown. */
const answered = (lock: Lock): Promise<Taken | Busy> =>
  until(() =>
    lock.take().catch((error: unknown) => {
      if (!(error instanceof LockUnknown)) throw error;
      return undefined;
    }),
  );

/** Takes it as soon as it can be had; what is unknown is asked again. */
export const take_over = (lock: Lock): Promise<Taken> =>
  until(async () => {
    const answer = await lock.take().catch((error: unknown) => {
      if (!(error instanceof LockUnknown)) throw error;
    });
    return answer?.kind === "taken" && answer;
  });

/** After an unclean end. */
const take_after = ({ waits_out }: Backend, lock: Lock): Promise<Taken> =>
  waits_out ? take_over(lock) : taken(lock);

/** An abort that comes by itself, so that no wait() is without an end. */
const bounded = (): AbortSignal => AbortSignal.timeout(30_000);

/** What of the contract a backend can't be tried with. */
type Part = "foreign" | "silence" | "rest";

export function contract(name: string, make: Make, without: readonly Part[] = []): void {
  let backend: Promise<Backend | null> | undefined;
  const case_of = (
    what: string,
    run: (t: TestContext, backend: Backend, path: string) => Promise<void>,
  ): void => {
    test(what, async (t) => {
      const made = await (backend ??= make(t));
      if (made === null) return;
      await run(t, made, `/contract/${randomUUID()}`);
    });
  };
  const with_holder = (what: string, run: (h: Holding) => Promise<void>): void =>
    case_of(what, async (t, backend, path) => {
      const a = contender(t, backend, path);
      const b = contender(t, backend, path);
      await run({ t, backend, path, a, b, first: await taken(a.lock) });
    });

  describe(`the contract of a lock: ${name}`, () => {
    if (!without.includes("rest")) {
      taking(case_of, with_holder);
      proving(with_holder);
      releasing(with_holder);
      marking(with_holder);
      watching(case_of, with_holder);
      sighting(case_of, with_holder);
    }
    if (!without.includes("foreign")) refusing(case_of);
    if (!without.includes("silence")) silence(case_of, with_holder);
  });
}

type Holding = { t: TestContext; backend: Backend; path: string; a: Contender; b: Contender; first: Taken };
type Case = (what: string, run: (t: TestContext, backend: Backend, path: string) => Promise<void>) => void;
type WithHolder = (what: string, run: (h: Holding) => Promise<void>) => void;

function taking(case_of: Case, with_holder: WithHolder): void {
  case_of(
    "a free lock is taken, with a token, and a proof that began before it was asked for",
    async (t, backend, path) => {
      const before_ns = real_time.now_ns();
      const { token, proof, previous } = await taken(contender(t, backend, path).lock);
      assert.equal(previous, null);
      assert.ok(token > 0n);
      assert.ok(before_ns <= proof.t0_ns && proof.t0_ns <= real_time.now_ns());
      assert.ok(proof.bound_ms > 0);
    },
  );

  with_holder("a second contender is told who holds it", async ({ a, b }) => {
    const answer = await b.lock.take();
    assert.ok(answer.kind === "busy");
    assert.equal(answer.holder?.instance, a.instance);
  });

  case_of("of many at once exactly one takes it", async (t, backend, path) => {
    const all = Array.from({ length: 8 }, () => contender(t, backend, path));
    const answers = await Promise.all(all.map(({ lock }) => answered(lock)));
    assert.equal(answers.filter(({ kind }) => kind === "taken").length, 1);
  });

  case_of("it is seen by all: holder, record, contenders", async (t, backend, path) => {
    const identity = {
      holder: "n",
      instance: randomUUID(),
      boot_id: "b",
      address: "db:3306",
      volume_id: "v",
    };
    const a = contender(t, backend, path, { identity, register: true });
    const b = contender(t, backend, path, { register: true });
    await taken(a.lock);
    await b.lock.take();
    const view = await until(async () => {
      const seen = await b.lock.look();
      return seen.contenders.length === 2 && seen;
    });
    assert.deepEqual(pick(view.holder), { ...identity, state: "running", format: record_format });
    assert.deepEqual(pick(view.record), { ...identity, state: "running", format: record_format });
    assert.deepEqual(
      view.contenders
        .toSorted((x, y) => Number(y.address) - Number(x.address))
        .map(({ instance }) => instance)
        .toSorted(),
      [identity.instance, b.instance].toSorted(),
    );
    assert.ok(view.contenders.some(({ node, address }) => node === "n" && address === "db:3306"));
    await b.lock.close();
    await until(async () => (await a.lock.look()).contenders.length === 1);
  });

  case_of("a lock that nobody ever had is seen as free", async (t, backend, path) => {
    const { lock } = contender(t, backend, path);
    assert.deepEqual(await lock.look(), { holder: null, record: null, contenders: [] });
  });
}

function pick(record: LockRecord | null): unknown {
  if (record === null) return null;
  const { holder, instance, boot_id, address, volume_id, state, format } = record;
  return { holder, instance, boot_id, address, volume_id, state, format };
}

function proving(with_holder: WithHolder): void {
  with_holder("each proof is fresh: it begins after the last one was had", async ({ a, first }) => {
    let last_ns = first.proof.t0_ns;
    for (let round = 0; round < 5; round++) {
      const asked_ns = real_time.now_ns();
      const answer = await a.lock.prove();
      assert.ok(answer.kind === "proved");
      assert.ok(answer.proof.t0_ns >= asked_ns && answer.proof.t0_ns > last_ns);
      last_ns = answer.proof.t0_ns;
    }
  });

  with_holder("proved in time, it stays for longer than one lease", async ({ a, b, backend, first }) => {
    const end_ns = first.proof.t0_ns + BigInt(backend.ttl_ms) * 2_000_000n;
    while (real_time.now_ns() < end_ns) {
      assert.equal((await a.lock.prove()).kind, "proved");
      await sleep(backend.ttl_ms / 6);
    }
    assert.equal((await b.lock.take()).kind, "busy");
  });

  with_holder(
    "a holder that vanishes keeps it until its last proof ends, and not for ever",
    async ({ a, b }) => {
      const last = await a.lock.prove();
      assert.ok(last.kind === "proved");
      await a.lock.close();
      const { previous } = await take_over(b.lock);
      assert.ok(real_time.now_ns() >= end_of(last.proof), "it was another's before the proof ended");
      assert.equal(previous?.state, "running");
      assert.equal(previous.instance, a.instance);
    },
  );

  with_holder(
    "the operator deletes it: told unasked, once, and proved lost",
    async ({ a, backend, path }) => {
      await a.lock.prove();
      await backend.delete_lock(path);
      await until(() => a.lost.length > 0);
      const answer = await a.lock.prove();
      assert.ok(answer.kind === "lost" && answer.because !== "");
      assert.equal(a.lost.length, 1);
    },
  );

  with_holder(
    "it is another's: lost, and a release takes nothing from him",
    async ({ a, b, backend, path }) => {
      await backend.delete_lock(path);
      await take_over(b.lock);
      assert.equal((await a.lock.prove()).kind, "lost");
      await a.lock.release("clean");
      await backend.release(a.lock.release_record());
      assert.equal((await b.lock.prove()).kind, "proved");
    },
  );
}

function releasing(with_holder: WithHolder): void {
  for (const state of ["clean", "unclean"] as const) {
    with_holder(
      `released ${state}: free at once, the record says so, the next token is greater`,
      async ({ backend, a, b, first }) => {
        await a.lock.prove();
        await a.lock.release(state);
        assert.deepEqual(a.lost, [], "one's own release is no loss");
        const view = await b.lock.look();
        assert.equal(view.holder, null);
        assert.equal(view.record?.state, state);
        const { previous, token } = await (state === "clean" ? taken(b.lock) : take_after(backend, b.lock));
        assert.equal(previous?.state, state);
        assert.equal(previous.claim, String(first.token));
        assert.ok(token > first.token);
      },
    );
  }

  for (const state of ["clean", "unclean"] as const) {
    with_holder(
      `released ${state}, the record counts how often the app has failed, until who takes over releases it`,
      async ({ backend, a, b }) => {
        await a.lock.release(state, 3);
        assert.equal((await b.lock.look()).record?.failures, 3);
        const { previous } = await (state === "clean" ? taken(b.lock) : take_after(backend, b.lock));
        assert.equal(previous?.failures, 3);
        await b.lock.mark();
        await b.lock.release("clean");
        assert.equal((await a.lock.look()).record?.failures, 0);
      },
    );
  }

  with_holder("taken and given back by turns: the token only grows", async ({ a, b, first }) => {
    let last = first.token;
    await a.lock.release("clean");
    for (const { lock } of [b, a, a, b]) {
      const { token } = await taken(lock);
      assert.ok(token > last);
      last = token;
      assert.equal((await lock.prove()).kind, "proved");
      await lock.release("clean");
    }
  });

  with_holder(
    "a release twice, and one by a contender that never had it, change nothing",
    async ({ a, b }) => {
      await b.lock.release("clean");
      assert.equal((await a.lock.prove()).kind, "proved");
      await a.lock.release("unclean");
      await a.lock.release("clean");
      assert.equal((await a.lock.look()).record?.state, "unclean");
    },
  );

  with_holder("the release program frees it for a dead controller", async ({ a, b, backend }) => {
    await a.lock.prove();
    const record_json = a.lock.release_record();
    await a.lock.close();
    await backend.release(record_json);
    const { previous } = await taken(b.lock);
    assert.equal(previous?.state, "clean");
    await backend.release(record_json);
    assert.equal((await b.lock.prove()).kind, "proved", "a late release took it from its next holder");
  });

  with_holder("once lost or released, it can be taken anew", async ({ a, backend, path, first }) => {
    await backend.delete_lock(path);
    await until(async () => (await a.lock.prove()).kind === "lost");
    const second = await taken(a.lock);
    assert.ok(second.token > first.token);
    assert.equal((await a.lock.prove()).kind, "proved");
  });
}

function marking(with_holder: WithHolder): void {
  with_holder(
    "after an unclean end the record stays as it was found, until mark()",
    async ({ backend, a, b, first }) => {
      await a.lock.release("unclean");
      const { previous, token } = await take_after(backend, b.lock);
      assert.equal(previous?.state, "unclean");
      const { holder, record } = await b.lock.look();
      assert.equal(holder?.instance, b.instance);
      assert.deepEqual(
        [record?.instance, record?.state, record?.claim],
        [a.instance, "unclean", String(first.token)],
      );
      for (let twice = 0; twice < 2; twice++) {
        await b.lock.mark();
        const marked = (await b.lock.look()).record;
        assert.deepEqual(
          [marked?.instance, marked?.state, marked?.claim],
          [b.instance, "running", String(token)],
        );
      }
      assert.equal((await b.lock.prove()).kind, "proved");
    },
  );

  with_holder(
    "given back as it was found: the next one has to fence the same one",
    async ({ backend, a, b, first }) => {
      await a.lock.release("unclean");
      await take_after(backend, b.lock);
      await b.lock.release("as-found");
      const { previous } = await taken(a.lock);
      assert.deepEqual([previous?.instance, previous?.claim], [a.instance, String(first.token)]);
      assert.equal(previous?.state, "unclean");
    },
  );

  with_holder("the release program leaves what was not marked as it was found", async ({ a, b, backend }) => {
    await a.lock.release("unclean");
    await take_after(backend, b.lock);
    await backend.release(b.lock.release_record());
    assert.equal((await taken(a.lock)).previous?.state, "unclean");
    await a.lock.mark();
    await backend.release(a.lock.release_record());
    assert.equal((await taken(b.lock)).previous?.state, "clean");
  });

  with_holder(
    "mark() by one who has lost it is refused, and changes nothing",
    async ({ a, b, backend, path }) => {
      await backend.delete_lock(path);
      await take_over(b.lock);
      await b.lock.mark();
      await assert.rejects(a.lock.mark(), LockUnknown);
      assert.equal((await b.lock.look()).record?.instance, b.instance);
    },
  );
}

function watching(case_of: Case, with_holder: WithHolder): void {
  case_of("nobody's lock isn't waited for", async (t, backend, path) => {
    await contender(t, backend, path).lock.wait(bounded());
  });

  with_holder("a standby hears of the release", async ({ a, b }) => {
    const heard = b.lock.wait(bounded());
    await sleep(200);
    await a.lock.prove();
    await a.lock.release("clean");
    await heard;
    await taken(b.lock);
  });

  with_holder("the wait ends when it is aborted, with the abort's reason", async ({ b }) => {
    const abort = new AbortController();
    const heard = b.lock.wait(abort.signal);
    const reason = new Error("enough");
    setTimeout(() => abort.abort(reason), 100);
    await assert.rejects(heard, reason);
    await assert.rejects(b.lock.wait(abort.signal), reason);
  });
}

function sighting(case_of: Case, with_holder: WithHolder): void {
  // The end may fall between two watches, which is said as what it is: then it was only found gone. Not three times in a row.
  case_of("who watched the last holder to its end knows when it was last seen", async (t, backend, path) => {
    for (let tries = 1; ; tries++) {
      const [a, b] = [contender(t, backend, `${path}-${tries}`), contender(t, backend, `${path}-${tries}`)];
      await taken(a.lock);
      await b.lock.take();
      const waited = b.lock.wait(bounded());
      await a.lock.prove();
      const last = await a.lock.prove();
      assert.ok(last.kind === "proved");
      await a.lock.close();
      await waited;
      const { previous, previous_seen_ns } = await take_over(b.lock);
      assert.equal(previous?.instance, a.instance);
      assert.ok(previous.ttl_ms >= last.proof.bound_ms);
      assert.ok(previous_seen_ns !== null && previous_seen_ns >= last.proof.t0_ns, "a proof came after that");
      if (previous_seen_ns < end_of(last.proof)) return;
      assert.ok(tries < 3, "it was only said that it is gone now");
    }
  });

  with_holder("the operator deletes it: the same", async ({ a, b, backend, path }) => {
    await b.lock.take();
    const waited = b.lock.wait(bounded());
    const last = await a.lock.prove();
    await backend.delete_lock(path);
    await waited;
    const { previous_seen_ns } = await take_over(b.lock);
    assert.ok(last.kind === "proved" && previous_seen_ns !== null && previous_seen_ns >= last.proof.t0_ns);
  });

  with_holder(
    "who only finds it gone doesn't know: it may have been seen just now",
    async ({ a, b, backend, path }) => {
      await b.lock.take();
      await a.lock.prove();
      await backend.delete_lock(path);
      const found_ns = real_time.now_ns();
      const { previous_seen_ns } = await take_over(b.lock);
      assert.ok(previous_seen_ns !== null && (backend.knows_all === true || previous_seen_ns >= found_ns));
    },
  );

  case_of("nobody before, or this very instance: nothing is to be waited for", async (t, backend, path) => {
    const { lock } = contender(t, backend, path);
    const first = await taken(lock);
    await lock.release("unclean");
    const second = await take_over(lock);
    assert.deepEqual([first.previous_seen_ns, second.previous_seen_ns], [null, null]);
    assert.equal(second.previous?.state, "unclean");
  });
}

function refusing(case_of: Case): void {
  const record = {
    holder: "n",
    instance: "i",
    boot_id: "b",
    address: null,
    volume_id: null,
    claim: "1",
    state: "clean",
  };
  const refused =
    (pattern: RegExp) =>
    (error: unknown): boolean =>
      error instanceof LockRefused && pattern.test(error.message);

  case_of("a record of a newer leasehold is not touched", async (t, backend, path) => {
    const { foreign } = backend;
    assert.ok(foreign);
    const newer = JSON.stringify({ ...record, since: "", format: record_format + 1 });
    await foreign.write_record(path, newer);
    await assert.rejects(contender(t, backend, path).lock.take(), refused(/newer leasehold/));
  });

  case_of("a record that isn't leasehold's is not touched", async (t, backend, path) => {
    const { foreign } = backend;
    assert.ok(foreign);
    for (const text of ["", "hello", "{}", "[1]", '{"format":1}', '{"format":"1"}', "null"]) {
      await foreign.write_record(path, text);
      await assert.rejects(
        contender(t, backend, path).lock.take(),
        refused(/not written by leasehold/),
        text,
      );
    }
  });

  case_of("neither is a lock that isn't leasehold's", async (t, backend, path) => {
    const { foreign } = backend;
    assert.ok(foreign);
    await foreign.overwrite_lock(path, "hello");
    await assert.rejects(contender(t, backend, path).lock.take(), refused(/not written by leasehold/));
  });
}

function silence(case_of: Case, with_holder: WithHolder): void {
  with_holder(
    "no answer is unknown, and the lock is still there afterwards",
    async ({ t, a, b, backend }) => {
      // Longer than an attempt, shorter than the lease.
      await a.lock.prove();
      backend.stop();
      t.after(() => backend.resume());
      await assert.rejects(a.lock.prove(), LockUnknown);
      backend.resume();
      await until(async () => {
        const answer = await a.lock
          .prove()
          .catch((error: unknown) => assert.ok(error instanceof LockUnknown));
        assert.notEqual(answer?.kind, "lost");
        return answer?.kind === "proved";
      });
      assert.equal((await b.lock.take()).kind, "busy");
    },
  );

  case_of(
    "an attempt to take it without an answer is found out about by the next",
    async (t, backend, path) => {
      const { lock } = contender(t, backend, path);
      await lock.look();
      const attempt = lock.take();
      backend.stop();
      t.after(() => backend.resume());
      await attempt.catch((error: unknown) => assert.ok(error instanceof LockUnknown));
      await assert.rejects(contender(t, backend, path).lock.look(), LockUnknown);
      backend.resume();
      const { token } = await take_over(lock);
      assert.ok(token > 0n);
      assert.equal((await lock.prove()).kind, "proved");
    },
  );
}
