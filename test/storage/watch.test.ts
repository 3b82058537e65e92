// The watch of one volume, in a process of its own: what it sees, how soon, and that it never stands still itself.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { label_volume } from "../../src/storage/label.ts";
import { guard } from "../support/hand.ts";
import { freezable_fs } from "../support/frozen-fs.ts";
import { requires } from "../support/requires.ts";
import { bindfs, boot_time, mounts_folder, sh, tmpfs } from "../support/file-systems.ts";

type Watched = {
  child: ChildProcess;
  said: () => string;
  until: (what: RegExp) => Promise<void>;
  ended: Promise<unknown>;
};

/** A labelled volume, watched until it is lost. */
async function watched(
  t: TestContext,
  path: string,
  probe: readonly [every_ms: number, limit_ms: number, misses: number],
): Promise<Watched> {
  const identity = {
    id: randomUUID(),
    label: null,
    created: new Date(0).toISOString(),
    tv_ms: 30_000,
    directory: false,
  };
  const labelled = await label_volume(path, identity, {
    time: boot_time(),
    limit_ms: 10_000,
    job: { guard },
  });
  assert.notEqual(labelled.how, "failed");
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, "../fixtures/watch.ts"), guard, path, ...probe.map(String)],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  t.after(() => child.kill("SIGKILL"));
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const ended = once(child, "close");
  const until = async (what: RegExp): Promise<void> => {
    while (!what.test(text)) {
      const ran_out = await Promise.race([
        once(child.stdout, "data").then(() => false),
        ended.then(() => true),
      ]);
      if (ran_out && !what.test(text)) throw new Error(`it said no ${what}: ${text}`);
    }
  };
  await until(/^first ok/m);
  return { child, said: () => text, until, ended };
}

const longest_ms = (text: string): number => Number(/^longest (\d+)$/m.exec(text)?.[1]);

test("unmounted, also lazily: lost at once, without a look", async (t) => {
  if (!requires(t, "root")) return;
  const path = tmpfs(mounts_folder(t), "v");
  const { child, said, ended } = await watched(t, path, [60_000, 3000, 2]);
  sh('umount --lazy "$1"', path);
  child.kill("SIGUSR2"); // the guard would have told it
  await ended;
  assert.match(
    said(),
    /^lost gone kill the volume ".*" was unmounted \(tmpfs from "volume"\); mount it again$/m,
  );
});

test("unmounted, and a look comes before the guard's word: it isn't taken for another volume", async (t) => {
  if (!requires(t, "root")) return;
  const path = tmpfs(mounts_folder(t), "v");
  const { said, ended } = await watched(t, path, [200, 3000, 2]);
  sh('umount --lazy "$1"', path);
  await ended;
  assert.match(
    said(),
    /^lost gone kill the volume ".*" was unmounted \(tmpfs from "volume"\); mount it again$/m,
  );
});

test("other mounts come and go: a look, and nothing is lost; mounted over with something else: wrong", async (t) => {
  if (!requires(t, "root")) return;
  const folder = mounts_folder(t);
  const path = tmpfs(folder, "v");
  const { child, said, until, ended } = await watched(t, path, [60_000, 3000, 2]);
  tmpfs(folder, "other");
  child.kill("SIGUSR2");
  await until(/^look ok/m);
  sh('mount -t tmpfs over "$1"', path);
  child.kill("SIGUSR2");
  await ended;
  assert.match(
    said(),
    /^first ok .*\nlook ok\nlook wrong\nlost wrong kill the volume ".*" has no identity, and has to be/,
  );
});

test("mounted over, and read-only below: wrong, at once, and not a volume that only takes no writes", async (t) => {
  if (!requires(t, "root")) return;
  const path = tmpfs(mounts_folder(t), "v");
  const { child, said, ended } = await watched(t, path, [200, 3000, 2]);
  child.kill("SIGSTOP"); // both have happened when it looks
  sh('mount -o remount,ro "$1" && mount -t tmpfs over "$1"', path);
  child.kill("SIGCONT");
  await ended;
  assert.match(said(), /^lost wrong kill /m);
});

test("the same by the guard's word: wrong, too", async (t) => {
  if (!requires(t, "root")) return;
  const path = tmpfs(mounts_folder(t), "v");
  const { child, said, ended } = await watched(t, path, [60_000, 3000, 2]);
  sh('mount -o remount,ro "$1" && mount -t tmpfs over "$1"', path);
  child.kill("SIGUSR2");
  await ended;
  assert.match(said(), /^lost wrong kill /m);
});

test("remounted ro: the app is asked to stop", async (t) => {
  if (!requires(t, "root")) return;
  const path = tmpfs(mounts_folder(t), "v");
  const { child, said, ended } = await watched(t, path, [60_000, 3000, 2]);
  sh('mount -o remount,ro "$1"', path);
  child.kill("SIGUSR2");
  await ended;
  assert.match(said(), /^lost read-only stop the volume ".*" was remounted read-only; remount it rw$/m);
});

test("filled up: found by the next look, and the app is asked to stop", async (t) => {
  if (!requires(t, "root")) return;
  const path = tmpfs(mounts_folder(t), "v");
  const { said, ended } = await watched(t, path, [200, 3000, 2]);
  assert.throws(() => writeFileSync(join(path, "fill"), Buffer.alloc(2 << 20)), /ENOSPC/);
  await ended;
  assert.match(said(), /^lost full stop the volume ".*" has no space or no inode left/m);
});

test("a hang: lost after its misses in a row; the controller answers all the time, and can exit", async (t) => {
  if (!requires(t, "root", "bindfs")) return;
  const { path, daemon } = await bindfs(t, mounts_folder(t), "v");
  const { said, until, ended } = await watched(t, path, [100, 1000, 3]);
  daemon.kill("SIGSTOP");
  await until(/^look hung/m);
  const hung = performance.now();
  await ended; // its daemon still stands
  const [limit_ms, misses] = [1000, 3];
  assert.match(said(), /^lost hung kill the volume ".*" gave no answer to .*, 3 times in a row$/m);
  // The first of the misses was over when it was told.
  t.diagnostic(`lost ${Math.round(performance.now() - hung)} ms after the first of 3 misses of 1 s`);
  assert.ok(performance.now() - hung < limit_ms * (misses - 1) + 1000 + 1000);
  t.diagnostic(`the event loop stood still for ${longest_ms(said())} ms at most`);
  assert.ok(longest_ms(said()) < 1000, "it never waited for the volume");
});

test("a hang that ends before the misses are full is no loss", async (t) => {
  if (!requires(t, "root", "bindfs")) return;
  const { path, daemon } = await bindfs(t, mounts_folder(t), "v");
  const { child, said, until } = await watched(t, path, [100, 1000, 5]);
  daemon.kill("SIGSTOP");
  await until(/^look hung/m);
  daemon.kill("SIGCONT");
  await until(/^look hung\nlook ok/m);
  assert.doesNotMatch(said(), /lost/);
  child.kill("SIGKILL");
});

test("looks that can't be killed: lost all the same, and they are counted", async (t) => {
  if (!requires(t, "root", "fsfreeze")) return;
  const fs = freezable_fs(t);
  const { said, ended } = await watched(t, fs.path, [100, 1500, 2]);
  fs.freeze();
  await ended;
  fs.thaw();
  assert.match(said(), /^lost hung kill the volume ".*" gave no answer within .*, 2 times in a row$/m);
  assert.match(said(), /^left [12]$/m);
});
