// leasehold run with a lock on etcd and a volume that is really mounted: checked, labelled, watched, the second witness.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Contender, Contenders, until } from "../support/contenders.ts";
import { etcd, type Etcd } from "../support/etcd.ts";
import { etcd_url } from "../support/faults-etcd.ts";
import { requires } from "../support/requires.ts";
import { label } from "../support/volume.ts";
import { bindfs, ext4, mounts_folder, sh, tmpfs } from "../support/file-systems.ts";

const ttl_ms = 4000;
const probe = "probe=300ms/1s×2";

type Scene = {
  servers: Etcd;
  folder: string;
  contenders: Contenders;
  start: (node: string, volume: string, ...more: string[]) => Contender;
};

async function scene(t: TestContext, lease_ms = ttl_ms): Promise<Scene | null> {
  if (!requires(t, "etcd", "etcdctl", "root", "mkfs.ext4")) return null;
  const servers = await etcd(t);
  await servers.ready();
  const folder = mounts_folder(t);
  const contenders = new Contenders(t);
  const start = (node: string, volume: string, ...more: string[]): Contender =>
    contenders.start({
      lock: etcd_url("/volume")(servers.members.map(({ port }) => port)),
      node,
      args: [...["--ttl", `${lease_ms}ms`, "--drain", "200ms", "--volume", `${volume},${probe}`], ...more],
    });
  return { servers, folder, contenders, start };
}

test("an empty volume that nobody had is labelled, its id is in the record, and from then on required", async (t) => {
  const one = await scene(t);
  if (!one) return;
  const { folder, contenders, start } = one;
  const volume = tmpfs(folder, "volume");
  const a = start("a", volume);
  await contenders.holder();
  await a.line(/was empty and had no identity: it has got the id/);
  const { id } = JSON.parse(readFileSync(join(volume, ".leasehold/volume.json"), "utf8")) as { id: string };
  a.signal("SIGTERM");
  await a.exited();
  const other = tmpfs(folder, "other");
  label(other, ttl_ms);
  const b = start("b", other);
  assert.equal(await b.exited(), 74);
  assert.match(b.story(), new RegExp(`has the id [-0-9a-f]{36}, and has to be ${id}; mount the right one`));
  const emptied = tmpfs(folder, "emptied");
  const c = start("c", emptied);
  assert.equal(await c.exited(), 74);
  assert.match(
    c.story(),
    new RegExp(`has no identity, and has to be ${id}; it is another one, or was emptied`),
  );
  assert.equal(contenders.lives().length, 1);
});

test("an empty volume waits for its label until the lock service answers", async (t) => {
  const one = await scene(t);
  if (!one) return;
  const { servers, folder, contenders, start } = one;
  const volume = tmpfs(folder, "volume");
  servers.stop();
  const a = start("a", volume);
  await a.line(/has no identity; .* it doesn't answer, trying again/);
  servers.resume();
  await contenders.holder();
});

test("a path where nothing is mounted: refused with 74 and the classic mistake's name", async (t) => {
  const one = await scene(t);
  if (!one) return;
  const { folder, contenders, start } = one;
  const path = join(folder, "nothing");
  mkdirSync(path);
  const a = start("a", path);
  assert.equal(await a.exited(), 74);
  assert.match(a.story(), /is only a directory on the container's own file system: nothing is mounted there/);
  assert.deepEqual(contenders.lives(), []);
});

for (const [how, unmount, said] of [
  ["unmounted", 'umount "$1"', /the volume was lost: the volume .* was unmounted/],
  ["lazily unmounted", 'umount --lazy "$1"', /the volume was lost: the volume .* was unmounted/],
  // Whichever is seen first: the mount above it, or that it is another one.
  [
    "mounted over",
    'mount -t tmpfs other "$1"',
    /the volume was lost: .*(mounted over the volume|has no identity)/,
  ],
] as const)
  test(`the volume is ${how} while the app runs: killed at once, 81`, async (t) => {
    const one = await scene(t);
    if (!one) return;
    const { folder, contenders, start } = one;
    const volume = tmpfs(folder, "volume");
    const a = start("a", volume);
    await contenders.holder();
    sh(unmount, volume);
    assert.equal(await a.exited(), 81);
    assert.match(a.story(), said);
  });

test("remounted read-only, the app is asked to stop; with on-read-only=warn it goes on", async (t) => {
  const one = await scene(t);
  if (!one) return;
  const { folder, contenders, start } = one;
  const volume = ext4(folder, "volume");
  const a = start("a", volume);
  await contenders.holder();
  sh('mount -o remount,ro "$1"', volume);
  assert.equal(await a.exited(), 81);
  assert.match(a.story(), /the volume is lost: .*read-only.*; stopping the app/);
  sh('mount -o remount,rw "$1"', volume);
  const b = start("b", `${volume},on-read-only=warn`);
  await contenders.holder(a);
  sh('mount -o remount,ro "$1"', volume);
  await sleep(1500);
  assert.ok(contenders.runs(b), b.story());
});

test("a volume that hangs is lost after its misses, and HTTP answers all the while", async (t) => {
  if (!requires(t, "bindfs")) return;
  // The lease outlives the misses: otherwise the beats that don't count end it first.
  const one = await scene(t, 12_000);
  if (!one) return;
  const { folder, contenders, start } = one;
  const { path, daemon } = await bindfs(t, folder, "volume");
  const a = start("a", `${path},view-age=100ms`, "--listen", "18765");
  await contenders.holder();
  daemon.kill("SIGSTOP");
  const worst = { ms: 0, answers: 0 };
  await until(async () => {
    if (a.ended) return true;
    const began = performance.now();
    const answer = await fetch("http://127.0.0.1:18765/livez").catch(() => null);
    if (answer?.ok === true)
      Object.assign(worst, { ms: Math.max(worst.ms, performance.now() - began), answers: worst.answers + 1 });
    await sleep(10);
    return false;
  }, "its end");
  daemon.kill("SIGCONT");
  assert.ok([81, 86].includes((await a.exited()) ?? 0), a.story());
  assert.match(a.story(), /the volume is lost: .*gave no answer to .*, 2 times in a row; killing the app/);
  assert.ok(worst.answers > 20, "it answered all the while");
});

test("what the volume vouches for: an operator deletes lock and record, and nothing runs twice", async (t) => {
  const one = await scene(t);
  if (!one) return;
  const { servers, folder, contenders, start } = one;
  const volume = tmpfs(folder, "volume");
  const a = start("a", volume);
  await contenders.holder();
  const b = start("b", volume);
  await b.line(/waiting/);
  a.signal("SIGSTOP", a.controller); // it hears of nothing
  servers.ctl(["del", "--prefix", "/volume"]);
  await contenders.holder(a);
  assert.equal(contenders.overlap_ms(), 0, contenders.story());
  a.signal("SIGCONT", a.controller);
  await a.exited();
});

test("hold: the lock service is away for several leases, and the app runs on; stop: it doesn't", async (t) => {
  const one = await scene(t);
  if (!one) return;
  const { servers, folder, contenders, start } = one;
  const volume = tmpfs(folder, "volume");
  const a = start("a", volume, "--on-outage", "hold");
  await contenders.holder();
  const b = start("b", volume, "--on-outage", "hold");
  await b.line(/waiting/);
  const { app } = a;
  servers.stop();
  await sleep(3 * ttl_ms);
  assert.equal(a.app, app, "untouched");
  servers.resume();
  await sleep(ttl_ms);
  assert.equal(a.app, app, "untouched");
  a.signal("SIGTERM");
  await contenders.holder(a);
  assert.equal(contenders.overlap_ms(), 0, contenders.story());
});

test("a device comes with the lock and goes with it: SIGTERM, and kill -9 of the controller", async (t) => {
  const one = await scene(t);
  if (!one) return;
  const { folder, contenders, start } = one;
  const path = join(folder, "data");
  mkdirSync(path);
  const image = join(folder, "image");
  sh('truncate --size 16M "$1"; mkfs.ext4 -q "$1"', image);
  const device = sh('losetup --find --show "$1"', image).trim();
  t.after(() => sh('losetup --detach "$1" 2>&- || true', device));
  const is_mounted = (): boolean => readFileSync("/proc/self/mountinfo", "utf8").includes(` ${path} `);
  const more = ["--device", device, "--fstype", "ext4"];
  const a = start("a", path, ...more);
  await contenders.holder();
  assert.ok(is_mounted());
  await a.line(/was empty and had no identity/);
  const b = start("b", path, ...more);
  await b.line(/waiting/);
  assert.equal(
    b.lines().filter(({ message }) => /attaching/.test(message)).length,
    0,
    "not without the lock",
  );
  a.signal("SIGKILL", a.controller);
  await contenders.holder(a);
  assert.ok(is_mounted());
  assert.match((await b.line(/took the lock/)).message, /a had it before, its end is clean/);
  b.signal("SIGTERM");
  await b.exited();
  assert.ok(!is_mounted());
  assert.equal(contenders.overlap_ms(), 0, contenders.story());
});
