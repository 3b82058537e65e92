// examples/attach-nbd for real: a dirty file system is repaired and mounted under the lock, and goes to the next machine with it.

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { requires } from "../support/requires.ts";
import { type Fact, scene } from "../support/scene.ts";
import { the_fact } from "./kinds.ts";
import { check_end, told } from "./losses.ts";

const ends = [
  { fault: "stopped", exit: 143, says: /^stopped by signal 15/ },
  { fault: "app-killed", exit: 137, says: /^the app ended by signal 9$/ },
  { fault: "controller-killed", exit: 70, says: /^released after the controller's death$/ },
] as const;

for (const { fault, exit, says } of ends)
  test(`NBD: ${fault}: exit ${exit}, the device is gone, and the next one has the data`, async (t) => {
    const facts = await played(t, fault);
    if (facts === null) return;
    check_end(facts, { exit, says }, told(facts).log);
    const left = { fact: "left", connected: false, answers: false, mounted: false };
    assert.deepEqual(the_fact(facts, "left"), left, told(facts).log);
  });

test("NBD: vanished: the device that a lost machine still has is cut off, and the next one has the data", async (t) => {
  const facts = await played(t, "vanished");
  if (facts === null) return;
  const { answers, mounted } = the_fact(facts, "left");
  assert.deepEqual([answers, mounted], [false, true], told(facts).log);
});

async function played(t: TestContext, fault: string): Promise<Fact[] | null> {
  const needed = [
    "uml",
    "kmod",
    "ip",
    "unshare",
    "setpriv",
    "nbd-server",
    "nbd-client",
    "mkfs.ext4",
    "etcd",
  ] as const;
  if (!requires(t, "root", ...needed)) return null;
  const facts = await scene({ place: "uml", program: "attach-nbd", args: [fault], timeout_ms: 400_000 });
  const { facts: text, log } = told(facts);
  t.diagnostic(text);
  assert.equal(the_fact(facts, "overlap").overlap_ms, 0, log);
  const data = { fact: "data", nodes: ["a", "b"], file: "kept" };
  assert.deepEqual(the_fact(facts, "data"), data, log);
  return facts;
}
