// G7: the controller hears of every change of the mounts, at once; a storm of them costs it nothing.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { app, hand, type Event, type Hand } from "../support/hand.ts";
import { requires } from "../support/requires.ts";

const own_mounts = ["unshare", "--mount", "--propagation", "private"];
const told = (h: Hand): Event[] => h.events().filter(({ event }) => event === "mounts");

/** Runs a script in the guard's mount namespace. */
function change(h: Hand, script: string): void {
  const { status, stderr } = spawnSync(
    "nsenter",
    ["--target", String(h.outer), "--mount", "sh", "-ec", script],
    { encoding: "utf8" },
  );
  assert.equal(status, 0, stderr);
}

test("a mount, and its end, are told", async (t) => {
  if (!requires(t, "root", "unshare")) return;
  const h = await hand(t, { wrapper: own_mounts, controller: ["--ttl", "60000"], app: [app] });
  await h.event("started");
  change(h, "mount -t tmpfs x /mnt");
  await h.until(() => told(h).length === 1, "the mount");
  change(h, "umount /mnt");
  await h.until(() => told(h).length === 2, "its end");
});

test("a storm of mounts while the controller is stopped: one report now, and one for all the rest", async (t) => {
  if (!requires(t, "root", "unshare")) return;
  const h = await hand(t, { wrapper: own_mounts, controller: ["--ttl", "60000"], app: [app] });
  await h.event("started");
  h.kill(h.controller, "SIGSTOP");
  change(h, "i=0; while [ $i -lt 300 ]; do mount -t tmpfs x /mnt; umount /mnt; i=$((i+1)); done");
  h.kill(h.controller, "SIGCONT");
  await h.until(() => told(h).length === 2, "both reports");
  await h.sleep(300);
  assert.equal(told(h).length, 2);
});

test("the client's answer to it doesn't pass for the answer to a stop", async (t) => {
  if (!requires(t, "root", "unshare")) return;
  const h = await hand(t, {
    wrapper: own_mounts,
    controller: ["--ttl", "60000", "--on-stop", "ignore"],
    app: [app, "signals", "say", "up"],
  });
  await h.output(/up/);
  h.kill(h.outer, "SIGTERM");
  await h.event("signalled");
  change(h, "mount -t tmpfs x /mnt");
  await h.event("mounts");
  await h.output(/signal 15/);
});
