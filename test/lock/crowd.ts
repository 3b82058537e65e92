// What a crowd of standbys may count on (src/lock/line.ts): those in front see each renewal and ask at once, those behind see who
// is ahead of them.

import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { end_of } from "../../src/core/lease.ts";
import { LockUnknown } from "../../src/errors.ts";
import type { Lock } from "../../src/lock/lock.ts";
import { take_over, taken } from "./contract.ts";

/** Opens one of them; their names are the order in which they stand. */
type Open = (name: string, ttl_ms: number) => Lock;
const bounded = (): AbortSignal => AbortSignal.timeout(60_000);
const unless_unknown = (error: unknown): void => assert.ok(error instanceof LockUnknown);

export function crowd(kind: string, make: (t: TestContext) => Promise<Open | null>): void {
  const case_of = (what: string, run: (open: Open) => Promise<void>): void =>
    void test(what, async (t) => {
      const open = await make(t);
      if (open !== null) await run(open);
    });

  describe(`a crowd of standbys: ${kind}`, () => {
    case_of("those behind don't know when the last renewal was, and say so", async (open) => {
      const named = (name: string): Lock => open(name, 3000);
      const holder = named("holder");
      await taken(holder);
      const others = ["a", "b", "c", "y", "z"].map(named);
      for (const one of others) assert.equal((await one.take()).kind, "busy");
      const [front, behind] = [others[0], others.at(-1)];
      assert.ok(front && behind);
      await sleep(500); // all are registered
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

    case_of(
      "whoever is behind moves up when those in front go, and is told of the lock then",
      async (open) => {
        const ttl_ms = 10_000;
        const named = (name: string): Lock => open(name, ttl_ms);
        const holder = named("z");
        await taken(holder);
        const front = ["a", "b", "c"].map(named);
        const behind = ["d", "e"].map(named);
        const abort = new AbortController();
        for (const one of [...front, ...behind]) assert.equal((await one.take()).kind, "busy");
        await sleep(500); // all are registered
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
      },
    );

    case_of("one after the other has it, and each that is told is told in the end", async (open) => {
      const had = new Set<number>();
      const contend = async (lock: Lock, index: number): Promise<void> => {
        while (!had.has(index)) {
          const answer = await lock.take().catch(unless_unknown);
          if (answer?.kind === "taken") {
            had.add(index);
            await lock.release("clean");
          } else if (answer?.kind === "busy") await lock.wait(bounded()).catch(unless_unknown);
          else await sleep(50);
        }
      };
      const all = Array.from({ length: 12 }, (_, index) => open(`node-${index}`, 6000));
      await Promise.all(all.map(contend));
      assert.equal(had.size, 12);
    });
  });
}
