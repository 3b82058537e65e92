// G5: a process that the kernel itself can't kill. It is reported, `empty` is not said, and nothing is released. Here it
// waits to write to a frozen file system; undead-nfs.test.ts has the hard NFS mount.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { app, hand, type Hand } from "../support/hand.ts";
import { freezable_fs } from "../support/frozen-fs.ts";
import { read_process } from "../support/processes.ts";
import { requires } from "../support/requires.ts";

/** Writes for ever, beside a daemon that can be killed. */
const writer = (path: string): string[] => [
  "sh",
  "-c",
  `"$0" ignore daemon say up exit 0; while :; do echo line >> ${join(path, "data")}; sleep 0.02; done`,
  app,
];
const said = (h: Hand, name: string): boolean => h.events().some(({ event }) => event === name);

test("the deadline passes: undead, again and again, and empty only after the thaw", async (t) => {
  if (!requires(t, "root", "fsfreeze")) return;
  const fs = freezable_fs(t);
  const h = await hand(t, { controller: ["--ttl", "1500", "--renew-for", "0"], app: writer(fs.path) });
  await h.output(/up/);
  fs.freeze();
  const undead = await h.event("undead");
  assert.equal(undead.state, "D");
  assert.equal(undead.left, 1);
  assert.ok(read_process(Number(undead.pid)), "it is reported while it is there");
  await h.until(() => h.events().filter(({ event }) => event === "undead").length === 2, "the second report");
  assert.equal(said(h, "empty"), false);
  fs.thaw();
  await h.event("empty");
  assert.equal((await h.exit).code, 137);
});

test("the controller is dead, too: nothing is released before the thaw", async (t) => {
  if (!requires(t, "root", "fsfreeze")) return;
  const fs = freezable_fs(t);
  const h = await hand(t, {
    controller: ["--ttl", "20000", "--grace", "200", "--release", "record"],
    app: writer(fs.path),
  });
  await h.output(/up/);
  await h.event("registered");
  fs.freeze();
  await h.sleep(300);
  h.kill(h.controller, "SIGKILL");
  await h.until(() => /1 processes of the app can't be killed \(process \d+, state D\)/.test(h.stderr()));
  assert.equal(said(h, "released"), false);
  fs.thaw();
  await h.event("released");
});

test("a job of the dead controller can't be killed: nothing is released before the thaw", async (t) => {
  if (!requires(t, "root", "fsfreeze")) return;
  const fs = freezable_fs(t);
  const folder = mkdtempSync(join(tmpdir(), "leasehold-job-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const [script, data] = [join(folder, "job"), join(fs.path, "data")];
  writeFileSync(script, `while :; do echo line >> ${data}; sleep 0.02; done`);
  const h = await hand(t, {
    controller: ["--ttl", "20000", "--grace", "200", "--release", "record", "--job", `sh ${script}`],
    app: [app],
  });
  await h.event("registered");
  await h.until(() => existsSync(data), "the job's writing");
  fs.freeze();
  await h.sleep(300);
  h.kill(h.controller, "SIGKILL");
  await h.sleep(1500); // the app is dead long before
  assert.equal(said(h, "released"), false);
  fs.thaw();
  await h.event("released");
});

test("the controller gives up knowing it: exit code 86, nothing is released", async (t) => {
  if (!requires(t, "root", "fsfreeze")) return;
  const fs = freezable_fs(t);
  const h = await hand(t, {
    controller: ["--ttl", "1500", "--renew-for", "0", "--release", "record", "--exit-at-undead"],
    app: writer(fs.path),
  });
  await h.output(/up/);
  const inner = read_process(h.role("lh-inner"));
  assert.ok(inner);
  fs.freeze();
  assert.equal(await h.exit_code, 86);
  fs.thaw();
  await h.gone([inner]);
  assert.equal(said(h, "released"), false);
});

test("inner was killed: outer reports what it can't kill, and says empty only after the thaw", async (t) => {
  if (!requires(t, "root", "fsfreeze")) return;
  const fs = freezable_fs(t);
  const h = await hand(t, { controller: ["--ttl", "20000"], app: writer(fs.path) });
  await h.output(/up/);
  fs.freeze();
  await h.sleep(300);
  h.kill(h.role("lh-inner"), "SIGKILL");
  assert.equal((await h.event("undead")).state, "D");
  assert.equal(said(h, "empty"), false);
  fs.thaw();
  await h.event("empty");
});

test("the drain hangs: not released", async (t) => {
  if (!requires(t, "root", "bindfs")) return;
  const folder = mkdtempSync(join(tmpdir(), "leasehold-hung-"));
  mkdirSync(join(folder, "fs"));
  const daemon = spawn("bindfs", ["-f", folder, join(folder, "fs")], { stdio: "ignore" });
  const ended = new Promise((resolve) => daemon.on("exit", resolve));
  t.after(async () => {
    daemon.kill("SIGKILL");
    await ended;
    spawnSync("umount", ["--lazy", join(folder, "fs")]);
    rmSync(folder, { recursive: true });
  });
  const h = await hand(t, {
    controller: ["--grace", "100", "--release", "x", "--drain", join(folder, "fs"), "--drain-ms", "700"],
    app: [app],
  });
  await h.event("registered");
  await h.until(() => readFileSync("/proc/mounts", "utf8").includes(`${folder}/fs `), "the mount");
  daemon.kill("SIGSTOP");
  h.kill(h.controller, "SIGKILL");
  assert.equal((await h.exit).code, 70);
  assert.match(h.stderr(), /the drain took longer than 700 ms: the lock is not released/);
  assert.equal(said(h, "released"), false);
});
