// leasehold run with a lock on the volume itself: no server. The app writes down when it lived.

import assert from "node:assert/strict";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Contenders } from "../support/contenders.ts";
import { guard } from "../support/hand.ts";
import { label } from "../support/volume.ts";

const ttl_ms = 3000;
const args = ["--ttl", `${ttl_ms}ms`, "--drain", "200ms"];

/** A directory that is labelled as a volume. */
function labelled(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "leasehold-e2e-file-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const volume = join(folder, "volume");
  mkdirSync(volume);
  label(volume, ttl_ms);
  return volume;
}
function scene(t: TestContext) {
  const volume = labelled(t);
  const contenders = new Contenders(t);
  const start = (node: string, ...more: string[]) =>
    contenders.start({ lock: `file://${volume}`, node, args: [...args, ...more] });
  return { volume, contenders, start };
}
const in_order = (contenders: Contenders): void => {
  assert.equal(contenders.overlap_ms(), 0, contenders.story());
  const tokens = contenders.lives().map(({ token }) => token);
  assert.deepEqual(
    tokens,
    tokens.toSorted((a, b) => (a < b ? -1 : 1)),
    "tokens grow",
  );
};

test("the first start on a new volume waits for nothing, and its token is the claim's number", async (t) => {
  const { contenders, start } = scene(t);
  const a = start("a");
  await contenders.holder();
  assert.deepEqual(
    contenders.lives().map(({ token }) => token),
    [1n],
  );
  assert.match((await a.line(/took the lock/)).message, /token 1; nobody had it before/);
});

test("a standby waits, takes over after a stop, and finds a clean end", async (t) => {
  const { contenders, start } = scene(t);
  const a = start("a");
  await contenders.holder();
  const b = start("b");
  await b.line(/waiting: the lock is held by a/);
  a.signal("SIGTERM");
  assert.equal(await a.exited(), 143);
  await contenders.holder(a);
  assert.match((await b.line(/took the lock/)).message, /a had it before, its end is clean/);
  in_order(contenders);
});

for (const [what, harm] of [
  ["its controller", (pids) => pids.controller],
  ["outer", (pids) => pids.outer],
  ["inner", (pids) => pids.inner ?? 0],
  ["the app", (pids) => pids.app ?? 0],
] as const satisfies [
  string,
  (pids: {
    controller: number;
    outer: number;
    inner?: number | undefined;
    app?: number | undefined;
  }) => number,
][])
  test(`kill -9 of ${what}: the other one finds a clean end at once, long before the lease is over`, async (t) => {
    const { contenders, start } = scene(t);
    const a = start("a");
    await contenders.holder();
    const b = start("b");
    await b.line(/waiting/);
    a.signal("SIGKILL", harm(a));
    await contenders.holder(a);
    assert.match((await b.line(/took the lock/)).message, /a had it before, its end is clean/);
    in_order(contenders);
  });

test("kill -9 of its controller where Node can't be started any more: the guard itself gives the lock back", async (t) => {
  const { volume, contenders } = scene(t);
  const installed = mkdtempSync(join(tmpdir(), "leasehold-e2e-installed-"));
  t.after(() => rmSync(installed, { recursive: true }));
  for (const name of ["leasehold.cjs", "controller.js", "controller.cache"])
    copyFileSync(join(dirname(guard), name), join(installed, name));
  copyFileSync(guard, join(installed, "leasehold"));
  const node = join(installed, "node");
  symlinkSync(realpathSync(join(dirname(guard), "node")), node);
  const lock = `file://${volume}`;
  const a = contenders.start({ lock, node: "a", args, guard: join(installed, "leasehold") });
  await contenders.holder();
  const b = contenders.start({ lock, node: "b", args });
  await b.line(/waiting/);
  unlinkSync(node);
  a.signal("SIGKILL", a.controller);
  await contenders.holder(a);
  assert.match((await b.line(/took the lock/)).message, /a had it before, its end is clean/);
  in_order(contenders);
});

test("its machine is gone: the other one waits until it has been silent for a whole lease", async (t) => {
  const { contenders, start } = scene(t);
  const a = start("a");
  await contenders.holder();
  const b = start("b");
  await b.line(/waiting/);
  a.vanish();
  await contenders.holder(a);
  assert.match((await b.line(/took the lock/)).message, /a had it before, its end is not known/);
  assert.ok((contenders.gaps_ms()[0] ?? 0) > ttl_ms / 2, "it was waited for");
  in_order(contenders);
});

test("its controller stands still for longer than the lease: its app is dead before the other one's begins", async (t) => {
  const { contenders, start } = scene(t);
  const a = start("a");
  await contenders.holder();
  const b = start("b");
  await b.line(/waiting/);
  const { controller } = a;
  a.signal("SIGSTOP", controller);
  await contenders.holder(a);
  a.signal("SIGCONT", controller);
  assert.equal(await a.exited(), 80);
  in_order(contenders);
});

test("the volume is gone from under it: killed with 81 and the reason, and the other one goes on", async (t) => {
  const volume = labelled(t);
  const contenders = new Contenders(t);
  const views = ["a", "b"].map((node) => `${volume}.${node}`);
  for (const view of views) symlinkSync(volume, view);
  const [view = "", other = ""] = views;
  const start = (node: string, path: string) =>
    contenders.start({
      lock: `file://${path}`,
      node,
      args: [...args, "--volume", `${path},probe=300ms/1s×2`],
    });
  const a = start("a", view);
  await contenders.holder();
  const b = start("b", other);
  await b.line(/waiting/);
  renameSync(view, `${view}.away`);
  await contenders.holder(a);
  assert.equal(await a.exited(), 81);
  assert.match(
    a.story(),
    /the volume was lost: .*doesn't exist, or is a link that leads nowhere \(ENOENT\); mount it/,
  );
  in_order(contenders);
});

test("twelve contenders at once: one runs, and each stop hands over to exactly one", async (t) => {
  const { contenders, start } = scene(t);
  for (let i = 0; i < 12; i++) start(`n${i}`);
  for (let turn = 0; turn < 4; turn++) {
    const holder = await contenders.holder();
    holder.signal("SIGTERM");
    await holder.exited();
  }
  await contenders.holder();
  in_order(contenders);
});

test("a directory that isn't labelled is refused with the command that labels it, and nothing is started", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "leasehold-e2e-file-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const contenders = new Contenders(t);
  const a = contenders.start({ lock: `file://${folder}`, node: "a", args });
  assert.equal(await a.exited(), 74);
  assert.match(a.story(), /nothing is mounted there.*; mount the volume there, or correct the path/);
  assert.deepEqual(contenders.lives(), []);
});

test("what others put there keeps nobody from running, and is no reason to start twice", async (t) => {
  const { contenders, start, volume } = scene(t);
  for (const name of ["x.beat", "99.claimed", "tmp", "1.beat"])
    writeFileSync(join(volume, ".leasehold", name), "not ours");
  const a = start("a");
  await contenders.holder();
  const b = start("b");
  await b.line(/waiting: the lock is held by a/);
  await sleep(2 * ttl_ms);
  assert.ok(contenders.runs(a), contenders.story());
  in_order(contenders);
});
