// The fencing token only grows, also when a claim is made long after its number was chosen.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { FileLock } from "../../../src/lock/file/lock.ts";
import { ProbeStore } from "../../../src/storage/lease/probe-store.ts";
import type { VolumeStore } from "../../../src/storage/lease/store.ts";
import { real_time, taken, until } from "../../lock/contract.ts";
import { Volumes } from "../../support/volumes.ts";

const ttl_ms = 3000;
const attempt_ms = 500;

/** A contender; before_claim runs between its choice of a number and the claim, as if it was stopped there. */
function contender(t: TestContext, volumes: Volumes, before_claim = async (): Promise<void> => {}): FileLock {
  const volume = volumes.witness("volume");
  const identity = {
    ...{ holder: "node", instance: randomUUID(), boot_id: "boot", address: null, volume_id: null },
  };
  const probe = new ProbeStore({ path: volume.path, time: real_time, limit_ms: attempt_ms });
  const store: VolumeStore = {
    async pass(writes) {
      if (writes.some((write) => write.do === "create" && write.name.endsWith(".claim")))
        await before_claim();
      return probe.pass(writes);
    },
  };
  const options = { identity, ttl_ms, attempt_ms, time: real_time, on_lost: () => {}, volume };
  const lock = new FileLock(volume, options, { store });
  t.after(() => lock.close());
  return lock;
}

test("who was stopped before its claim while others ran and their claims were swept starts over", async (t) => {
  const volumes = new Volumes(ttl_ms);
  t.after(() => volumes.remove());
  const claim_of = (n: bigint): string => join(volumes.at("volume"), ".leasehold", `${n}.claim`);
  let others = async (): Promise<void> => {
    others = async () => {};
    const [one, two] = [contender(t, volumes), contender(t, volumes)];
    const first = await taken(one);
    await one.release("clean");
    const second = await taken(two);
    assert.ok(second.token > first.token);
    await until(async () => {
      await two.prove();
      return !existsSync(claim_of(first.token));
    });
    await two.release("clean");
    highest = second.token;
  };
  let highest = 0n;
  const late = contender(t, volumes, () => others());
  const answer = await late.take();
  assert.equal(answer.kind, "busy", "it took a number that is lower than one that has run");
  const { token } = await until(async () => {
    const again = await late.take();
    return again.kind === "taken" && again;
  });
  assert.ok(token > highest, `${token} after ${highest}`);
});
