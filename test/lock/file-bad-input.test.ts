// What an operator, a crash or a foreign program can leave on a volume: a sentence and a safe outcome each.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { LockRefused, LockUnknown } from "../../src/errors.ts";
import { FileLock } from "../../src/lock/file/lock.ts";
import { leasehold_folder } from "../../src/storage/identity.ts";
import { encode_claim } from "../../src/storage/lease/format.ts";
import { Volumes } from "../support/volumes.ts";
import { real_time, take_over, taken, until } from "./contract.ts";

const ttl_ms = 1500;
/** For what is held all the time, however slow the machine is. */
const long_ms = 30_000;

function scene(t: TestContext, ttl: number = ttl_ms) {
  const volumes = new Volumes(ttl);
  t.after(() => volumes.remove());
  const name = randomUUID();
  const path = volumes.at(name);
  const at = (file: string): string => join(path, leasehold_folder, file);
  const contender = () => {
    const notes: string[] = [];
    const lost: string[] = [];
    const identity = { holder: "n", instance: randomUUID(), boot_id: "b", address: null, volume_id: null };
    const lock = new FileLock(
      { path },
      {
        ...{ identity, ttl_ms: ttl, attempt_ms: 3000, time: real_time, volume: volumes.witness(name) },
        on_lost: (because) => void lost.push(because),
        on_note: (sentence) => void notes.push(sentence),
      },
    );
    t.after(() => lock.close());
    return { lock, notes, lost };
  };
  return { path, at, contender };
}

test("a directory that nobody labelled, and one whose label is no identity: refused, with the remedy", async (t) => {
  const { at, path, contender } = scene(t);
  const remedy = new RegExp(`isn't labelled as a volume of leasehold; .*leasehold volume init ${path}$`);
  const refused = (error: unknown): boolean => error instanceof LockRefused && remedy.test(error.message);
  writeFileSync(at("volume.json"), "{}\n");
  await assert.rejects(contender().lock.take(), refused);
  rmSync(at("volume.json"));
  await assert.rejects(contender().lock.take(), refused);
  rmSync(join(path, leasehold_folder), { recursive: true });
  await assert.rejects(contender().lock.take(), refused);
  await assert.rejects(contender().lock.look(), refused);
});

test("foreign files, directories and pipes beside the lock are nothing", async (t) => {
  const { at, contender } = scene(t, long_ms);
  writeFileSync(at("README"), "hello");
  writeFileSync(at("notes.beat"), "hello");
  writeFileSync(at(`${randomUUID()}.standby`), Buffer.alloc(1 << 20, 120));
  mkdirSync(at("lost+found"));
  spawnSync("mkfifo", [at("pipe")]);
  const { lock } = contender();
  await taken(lock);
  assert.equal((await lock.prove()).kind, "proved");
});

test("thousands of files: refused with a sentence, and what is held is only not proved", async (t) => {
  const { at, contender } = scene(t, long_ms);
  const { lock } = contender();
  await taken(lock);
  for (let n = 0; n < 1000; n++) writeFileSync(at(`${n}.txt`), "");
  await assert.rejects(lock.prove(), /more than 1000 files.*; remove what isn't leasehold's/);
  await assert.rejects(contender().lock.take(), LockRefused);
  for (let n = 0; n < 1000; n++) rmSync(at(`${n}.txt`));
  assert.equal((await lock.prove()).kind, "proved");
});

for (const [what, content] of [
  ["torn", "0000dead {}\n"],
  ["empty", ""],
  ["foreign", "hello"],
] as const) {
  test(`a ${what} beat: nobody is taken for silent because of it, a note says which, and its removal helps`, async (t) => {
    const { at, contender } = scene(t);
    const beat = `${randomUUID()}.beat`;
    writeFileSync(at(beat), content);
    const { lock, notes } = contender();
    for (const end_ms = Date.now() + 2 * ttl_ms; Date.now() < end_ms; await sleep(100))
      assert.equal((await lock.take()).kind, "busy");
    assert.equal(notes.length, 1);
    assert.match(notes[0] ?? "", new RegExp(`${beat} is .*nobody is taken for silent.*, remove it$`));
    rmSync(at(beat));
    await take_over(lock);
  });
}

test("a machine died while it wrote its beat: it is silent after its lease, has to be fenced, and what is torn goes then", async (t) => {
  const { at, contender } = scene(t);
  const first = contender();
  const { token } = await taken(first.lock);
  await first.lock.close();
  const [beat = ""] = readdirSync(at("")).filter((name) => name.endsWith(".beat"));
  const bytes = readFileSync(at(beat));
  writeFileSync(at(beat), bytes.fill("x", 200, 600));
  const { lock, notes } = contender();
  const { previous } = await take_over(lock);
  assert.deepEqual([previous?.claim, previous?.state], [String(token), "running"]);
  await until(async () => {
    assert.equal((await lock.prove()).kind, "proved");
    return !existsSync(at(beat)) && !existsSync(at(`${token}.claim`));
  });
  assert.deepEqual(notes, []);
});

test("a claim that can't be read stops whoever has a lower one, and everybody else", async (t) => {
  const { at, contender } = scene(t);
  const { lock, lost } = contender();
  await taken(lock);
  writeFileSync(at("99.claim"), "?");
  await assert.rejects(lock.prove(), LockUnknown);
  assert.equal((await contender().lock.take()).kind, "busy");
  await until(() => lost.length > 0);
  assert.equal((await lock.prove()).kind, "lost");
  rmSync(at("99.claim"));
  await take_over(lock);
});

test("a claim of the operator's with a great number binds nobody, and the counter goes on above it", async (t) => {
  const { at, contender } = scene(t, long_ms);
  const nobody = { instance: null, lock_token: null, self: null, record: null };
  const { lock } = contender();
  await taken(lock);
  writeFileSync(at("1000.claim"), encode_claim({ claim: 1000n, tv_ms: ttl_ms, ...nobody }));
  assert.equal((await lock.prove()).kind, "proved");
  await lock.release("clean");
  assert.equal((await taken(lock)).token, 1001n);
});

test("another volume in its place: no proof, and the end after a lease", async (t) => {
  const { at, contender } = scene(t);
  const { lock, lost } = contender();
  await taken(lock);
  const text = readFileSync(at("volume.json"), "utf8");
  writeFileSync(at("volume.json"), text.replace(/"id":"[^"]*"/, `"id":"${randomUUID()}"`));
  await assert.rejects(lock.prove(), /another volume lies there/);
  await until(() => lost.length > 0);
  assert.equal((await lock.prove()).kind, "lost");
});

test("the claims are removed while it is held: the holder ends, and who comes waits for its silence", async (t) => {
  const { at, contender } = scene(t);
  const { lock } = contender();
  const { token } = await taken(lock);
  rmSync(at(`${token}.claim`));
  assert.equal((await lock.prove()).kind, "lost");
  const next = contender();
  assert.equal((await next.lock.take()).kind, "busy");
  assert.ok((await take_over(next.lock)).token > token, "the counter goes on above what beats name");
});

test("everything is removed: a whole lease is waited for", async (t) => {
  const { at, contender } = scene(t);
  const { lock } = contender();
  await taken(lock);
  for (const file of ["0.claim", "1.claim"]) rmSync(at(file), { force: true });
  spawnSync("sh", ["-c", `rm -f ${at("*.beat")}`]);
  const removed_ns = real_time.now_ns();
  await take_over(contender().lock);
  assert.ok(real_time.now_ns() - removed_ns >= BigInt(ttl_ms) * 1_000_000n);
});
