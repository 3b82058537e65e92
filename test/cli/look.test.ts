import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import type { OpenLock } from "../../src/cli/look.ts";
import { program } from "../../src/cli/program.ts";
import { LockUnknown } from "../../src/errors.ts";
import { MemoryLock, MemoryService } from "../../src/lock/memory.ts";
import type { Time } from "../../src/core/time.ts";
import { outcome_with } from "./outcome.ts";

const time: Time = {
  now_ns: () => process.hrtime.bigint(),
  after: (delay_ms, callback) => {
    const timer = setTimeout(callback, delay_ms).unref();
    return () => clearTimeout(timer);
  },
};
const ttl_ms = 60_000;
const lock = ["--lock", "memory:/a"];

function contender(
  service: MemoryService,
  holder: string,
  address: string | null = null,
  register = true,
): MemoryLock {
  const identity = { holder, instance: `of-${holder}`, boot_id: "b", address, volume_id: null };
  return new MemoryLock(service, { identity, ttl_ms, attempt_ms: 500, time, on_lost: () => {}, register });
}

/** A service, and how the commands open a lock of it. */
function setup(): { service: MemoryService; open: OpenLock } {
  const service = new MemoryService(time);
  return { service, open: () => Promise.resolve(contender(service, "looker", null, false)) };
}

test("status: a lock that nobody has, and never had", async () => {
  const { open } = setup();
  assert.equal(
    await outcome_with(open, "status", ...lock),
    "lock     memory:\nholder   nobody\nstandby  nobody\n",
  );
});

test("status: the holder, and who stands by", async () => {
  const { service, open } = setup();
  await contender(service, "a", "10.0.0.1:3306").take();
  // Who has asked for it once, stands by.
  await contender(service, "b", "10.0.0.2:3306").take();
  await contender(service, "c\u001b[2J").take();
  const text = await outcome_with(open, "status", ...lock);
  assert.match(text, /^holder {3}a at 10\.0\.0\.1:3306 since \d+, token 1$/m);
  assert.match(text, /^standby {2}b at 10\.0\.0\.2:3306\n {9}c\\u001b\[2J\n$/m);
});

test("status: how the last tenure ended", async () => {
  const { service, open } = setup();
  const a = contender(service, "a");
  await a.take();
  await a.release("clean");
  assert.match(await outcome_with(open, "status", ...lock), /^last {5}a since .*, ended clean$/m);
  await a.take();
  service.delete();
  assert.match(
    await outcome_with(open, "status", ...lock),
    /ended without a word: the next holder has to fence$/m,
  );
});

test("status --format json has the records as they are", async () => {
  const { service, open } = setup();
  await contender(service, "a").take();
  const view = JSON.parse(await outcome_with(open, "status", ...lock, "--format", "json")) as {
    lock: string;
    holder: { holder: string; state: string };
    contenders: unknown[];
  };
  assert.deepEqual([view.lock, view.holder.holder, view.holder.state], ["memory:", "a", "running"]);
  assert.deepEqual(view.contenders, [{ node: "a", instance: "of-a", address: null }]);
});

test("leader: the holder as JSON, shell variables, or its address", async () => {
  const { service, open } = setup();
  await contender(service, "a", "10.0.0.1:3306").take();
  const leader = (...argv: string[]): Promise<string> => outcome_with(open, "leader", ...lock, ...argv);
  const { since, ...rest } = JSON.parse(await leader()) as Record<string, string>;
  assert.deepEqual(rest, { node: "a", instance: "of-a", address: "10.0.0.1:3306", token: "1" });
  assert.match(since ?? "", /./);
  assert.equal(await leader("--format", "url"), "10.0.0.1:3306\n");
  assert.match(await leader("--format", "env"), /^LEASEHOLD_LEADER_ADDRESS='10\.0\.0\.1:3306'$/m);
});

test("leader --format env is safe to eval, whatever others wrote into the record", async () => {
  const { service, open } = setup();
  const evil = "'; touch /tmp/x; $(exit 3) `exit 4` \"\n\\";
  await contender(service, evil).take();
  const script = `${await outcome_with(open, "leader", ...lock, "--format", "env")}printf %s "$LEASEHOLD_LEADER_NODE"`;
  assert.equal(spawnSync("sh", ["-c", script], { encoding: "utf8" }).stdout, evil);
});

test("leader: nobody is null, and for a client a failure", async () => {
  const { service, open } = setup();
  assert.equal(await outcome_with(open, "leader", ...lock), "null\n");
  for (const format of ["url", "env"]) {
    assert.equal(
      await outcome_with(open, "leader", ...lock, "--format", format),
      "69 nobody holds the lock; try again",
    );
  }
  await contender(service, "a").take();
  assert.equal(
    await outcome_with(open, "leader", ...lock, "--format", "url"),
    "69 a publishes no address; give it --advertise",
  );
});

test("leader --watch prints each new holder once", async () => {
  const { service, open } = setup();
  const seen: string[] = [];
  const a = contender(service, "a", "a:1");
  const b = contender(service, "b", "b:1");
  await a.take();
  const enough = new Error("enough was seen");
  const watched = program(
    ["leader", ...lock, "--watch", "--format", "url"],
    (text) => {
      seen.push(text.trim());
      if (seen.length === 1) void a.release("clean");
      if (seen.length === 2) void b.take();
      if (seen.length === 3) throw enough;
    },
    () => {},
    open,
  );
  await assert.rejects(watched, enough);
  assert.deepEqual(seen, ["a:1", "", "b:1"]);
});

test("leader --watch: an unreachable lock service changes nothing and is told once", async () => {
  const service = new MemoryService(time);
  await contender(service, "a", "a:1").take();
  const seen: string[] = [];
  const enough = new Error("enough was seen");
  let looks = 0;
  const open: OpenLock = () => {
    const looker = contender(service, "looker", null, false);
    const look = looker.look.bind(looker);
    looker.look = () => {
      looks++;
      if (looks === 1) return look();
      if (looks < 4) return Promise.reject(new LockUnknown("no answer", "", "it is tried again"));
      throw enough;
    };
    looker.wait = () => Promise.reject(new LockUnknown("the watch broke", "", "it is tried again"));
    return Promise.resolve(looker);
  };
  const watched = program(
    ["leader", ...lock, "--watch", "--format", "url"],
    (text) => seen.push(text),
    (sentence) => seen.push(sentence),
    open,
  );
  await assert.rejects(watched, enough);
  assert.deepEqual(seen, ["a:1\n", "the watch broke; it is tried again"]);
});

test("a lock is closed whatever happens, and looking at it registers nobody", async () => {
  const { service } = setup();
  let closed = 0;
  const open: OpenLock = () => {
    const looker = contender(service, "looker", null, false);
    looker.close = () => Promise.resolve(void closed++);
    return Promise.resolve(looker);
  };
  await outcome_with(open, "status", ...lock);
  await outcome_with(open, "leader", ...lock, "--format", "url");
  assert.equal(closed, 2);
  assert.equal(service.contenders.size, 0);
});
