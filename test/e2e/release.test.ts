// G3: what the guard does for a dead controller, and what it doesn't.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { freezable_fs } from "../support/frozen-fs.ts";
import { app, hand, type Hand } from "../support/hand.ts";
import { requires } from "../support/requires.ts";

const registered = ["--ttl", "20000", "--grace", "200", "--release", "record 1"];
const released = (h: Hand): boolean => h.events().some(({ event }) => event === "released");

test("the controller dies: tree empty, drain, then the release program with the record that was registered last", async (t) => {
  const h = await hand(t, { controller: [...registered, "--drain", "/"], app: [app, "ignore", "daemon"] });
  const doomed = await h.app_tree(2);
  await h.event("registered");
  h.kill(h.controller, "SIGKILL");
  const { record, argv } = await h.event("released");
  assert.equal(record, "record 1");
  assert.deepEqual(argv, ["release"]);
  assert.deepEqual(h.alive(doomed), [], "released before the tree was empty");
  assert.equal((await h.exit).code, 70);
});

// A file lock is given back by one write. Its release needs neither Node nor its memory.
test("one write gives it back: the guard does it with the tree empty, and runs no release program", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "leasehold-release-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "beat");
  const h = await hand(t, {
    controller: [...registered, "--drain", folder, "--release-write", path],
    app: [app, "ignore", "daemon"],
  });
  const doomed = await h.app_tree(2);
  await h.event("registered");
  h.kill(h.controller, "SIGKILL");
  await h.until(() => existsSync(path), "the write");
  assert.deepEqual(h.alive(doomed), [], "released before the tree was empty");
  assert.equal((await h.exit).code, 70);
  assert.equal(readFileSync(path, "utf8"), "released");
  assert.equal(released(h), false);
  assert.equal(h.stdout(), "");
  assert.doesNotMatch(h.stderr(), /^\d/m, "the probe's answer is in the log");
  assert.match(h.stderr(), /released after the controller's death/);
});

test("that write fails: the release program gets the record", async (t) => {
  const h = await hand(t, { controller: [...registered, "--release-write", "/nowhere/at/all"], app: [app] });
  await h.event("registered");
  h.kill(h.controller, "SIGKILL");
  assert.equal((await h.event("released")).record, "record 1");
  assert.equal((await h.exit).code, 70);
});

test("a signal to whatever is called leasehold doesn't end that write", async (t) => {
  if (!requires(t, "root", "fsfreeze")) return;
  const fs = freezable_fs(t);
  const path = join(fs.path, "beat");
  const h = await hand(t, { controller: [...registered, "--release-write", path], app: [app] });
  await h.event("registered");
  const { outer, controller } = h;
  fs.freeze();
  h.kill(controller, "SIGKILL");
  const writer = await h.until(
    () => h.children(outer).find(({ comm, state }) => comm.startsWith("leasehold") && state === "D"),
    "the write",
  );
  h.kill(writer.pid, "SIGTERM");
  fs.thaw();
  assert.equal((await h.exit).code, 70);
  assert.equal(readFileSync(path, "utf8"), "released");
  assert.match(h.stderr(), /released after the controller's death/);
});

test("the drain fails: nothing is written either", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "leasehold-release-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "beat");
  const h = await hand(t, {
    controller: [...registered, "--drain", "/nowhere/at/all", "--release-write", path],
    app: [app],
  });
  await h.event("registered");
  h.kill(h.controller, "SIGKILL");
  assert.equal((await h.exit).code, 70);
  assert.equal(existsSync(path), false);
});

test("the controller dies with no app running: released at once", async (t) => {
  const h = await hand(t, { controller: [...registered, "--no-start"], app: [app] });
  await h.event("registered");
  h.kill(h.controller, "SIGKILL");
  await h.event("released");
});

test("nothing was registered: nothing is run", async (t) => {
  const h = await hand(t, { controller: ["--grace", "100"], app: [app] });
  await h.event("started");
  h.kill(h.controller, "SIGKILL");
  assert.equal((await h.exit).code, 70);
  assert.equal(released(h), false);
});

test("what was registered is taken back: nothing is run", async (t) => {
  const h = await hand(t, { controller: [...registered, "--unregister"], app: [app] });
  assert.equal((await h.event("unregistered")).status, "done");
  h.kill(h.controller, "SIGKILL");
  assert.equal((await h.exit).code, 70);
  assert.equal(released(h), false);
});

test("the drain fails: not released", async (t) => {
  const h = await hand(t, { controller: [...registered, "--drain", "/nowhere/at/all"], app: [app] });
  await h.event("registered");
  h.kill(h.controller, "SIGKILL");
  assert.equal((await h.exit).code, 70);
  assert.equal(released(h), false);
  assert.match(h.stderr(), /drain of \/nowhere\/at\/all failed/);
});

test("an orderly exit leaves the release to the controller", async (t) => {
  const h = await hand(t, { controller: registered, app: [app, "exit", "3"] });
  assert.equal((await h.exit).code, 3);
  assert.equal(released(h), false);
});

test("the controller sends garbage: it is killed, and all goes as after its death", async (t) => {
  const h = await hand(t, {
    controller: [...registered, "--garbage", "4c4802"],
    app: [app, "ignore", "daemon"],
  });
  const doomed = await h.app_tree(2);
  await h.event("released");
  assert.deepEqual(h.alive(doomed), []);
  assert.equal((await h.exit).code, 70);
  assert.match(h.stderr(), /garbage from the controller: frame \d+ is refused, its version is not 1/);
});

test("a job of the dead controller is gone before anything is released", async (t) => {
  const h = await hand(t, {
    controller: [...registered, "--job", `${app} ignore daemon child daemon`],
    app: [app],
  });
  const job = await h.until(() => h.maybe_role("lh-job"));
  const doomed = await h.tree_below(job, 4);
  h.kill(job, "SIGSTOP"); // it can't do it itself
  h.kill(h.controller, "SIGKILL");
  await h.event("released");
  assert.deepEqual(h.alive(doomed), []);
});

test("the record is not in any process's arguments or environment", async (t) => {
  const h = await hand(t, { controller: ["--ttl", "20000", "--release", "unguessable-4711"], app: [app] });
  await h.event("registered");
  await h.event("started");
  for (const role of [h.outer, h.role("lh-inner"), h.role("lh-pump"), h.app_group()]) {
    for (const file of ["cmdline", "environ"]) {
      const text = readFileSync(`/proc/${role}/${file}`, "latin1");
      // outer's own command line is this test's, with the record as an option of the test's controller
      if (role !== h.outer || file !== "cmdline")
        assert.equal(text.includes("unguessable-4711"), false, `${role} ${file}`);
    }
  }
});

test("JSON log lines when the controller asked for them", async (t) => {
  const h = await hand(t, { controller: ["--json-log", "--grace", "100"], app: [app] });
  await h.event("started");
  h.kill(h.controller, "SIGKILL");
  await h.exit;
  const lines = h.stderr().trim().split("\n");
  assert.ok(lines.length > 0);
  for (const line of lines) assert.equal((JSON.parse(line) as { name: string }).name, "guard");
});
