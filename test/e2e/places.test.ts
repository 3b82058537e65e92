// G6: wherever the guard runs, its app dies at the deadline; or it refuses to start and says why.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { cgroup } from "../support/cgroup.ts";
import { app, hand } from "../support/hand.ts";
import {
  limits,
  no_new_privileges,
  noexec,
  pid_namespace,
  read_only_root,
  unprivileged,
  without_capabilities,
} from "../support/namespace.ts";
import { requires } from "../support/requires.ts";

const soon = ["--ttl", "1500", "--renew-for", "0"];
const root_daemons = [app, "uid", "65534", "ignore", "daemon", "child", "daemon"];
const daemons = [app, "ignore", "daemon", "child", "daemon"];
const tmp = ["/tmp"];

// The wrapper, the app, what the guard's welcome has to say of the place.
type Place = { wrapper: string[]; app: string[]; welcome: Record<string, boolean> };
const places: Record<string, Place> = {
  "PID 1 of its own PID namespace": {
    wrapper: pid_namespace(),
    app: root_daemons,
    welcome: { pid1: true, can_kill: true },
  },
  "not PID 1, as root": {
    wrapper: [],
    app: root_daemons,
    welcome: { pid1: false, can_kill: true, no_new_privs: false },
  },
  "an ordinary user": {
    wrapper: unprivileged(),
    app: daemons,
    welcome: { pid1: false, can_kill: false, no_new_privs: true },
  },
  "an ordinary user as PID 1": {
    wrapper: [...pid_namespace(), ...unprivileged()],
    app: daemons,
    welcome: { pid1: true, can_kill: false, no_new_privs: false },
  },
  "root without the capabilities to kill and to change users": {
    wrapper: without_capabilities("kill", "setuid"),
    app: daemons,
    welcome: { pid1: false, can_kill: false, no_new_privs: true },
  },
  "a read-only root": { wrapper: read_only_root(tmp), app: root_daemons, welcome: { can_kill: true } },
  "temporary folders without exec, as PID 1 and an ordinary user": {
    wrapper: [...pid_namespace(), ...noexec(), ...unprivileged()],
    app: daemons,
    welcome: { pid1: true },
  },
  no_new_privs: { wrapper: no_new_privileges(), app: root_daemons, welcome: { can_kill: true } },
  "no real-time priority allowed": {
    wrapper: without_capabilities("sys_nice"),
    app: root_daemons,
    welcome: { can_kill: true },
  },
};
for (const [name, place] of Object.entries(places)) {
  test(`the deadline passes: ${name}`, async (t) => {
    if (!requires(t, "unshare", "root")) return;
    const h = await hand(t, { wrapper: place.wrapper, controller: soon, app: place.app });
    const doomed = await h.app_tree(4);
    const welcome = await h.event("welcome");
    for (const [what, is] of Object.entries(place.welcome)) assert.equal(welcome[what], is, what);
    assert.equal((await h.event("killing")).why, "deadline");
    await h.event("empty");
    await h.gone(doomed);
    await h.no_descendant();
    assert.equal((await h.exit).code, 137);
  });
}

test("PID 1 gets kill -9: the kernel ends the namespace", async (t) => {
  if (!requires(t, "unshare", "root")) return;
  const h = await hand(t, { wrapper: pid_namespace(), controller: [], app: root_daemons });
  const doomed = await h.app_tree(4);
  h.kill(h.outer, "SIGKILL");
  await h.gone(doomed);
});

test("a container engine puts an orphan into the container: PID 1 ends it", async (t) => {
  if (!requires(t, "unshare", "root")) return;
  const h = await hand(t, { wrapper: pid_namespace(), controller: [], app: [app] });
  await h.event("started");
  const enter = ["nsenter", "--target", String(h.outer), "--pid", "--mount", "--"];
  spawnSync(enter[0] ?? "", [...enter.slice(1), app, "ignore", "daemon", "say", "done", "exit", "0"]);
  await h.until(() => h.children(h.outer).length === 3, "only the pump, the controller and inner");
  assert.equal(h.alive(await h.app_tree(1)).length, 1);
});

test("an unprivileged app can't put itself out of reach by a set-uid program", async (t) => {
  if (!requires(t, "unshare", "root")) return;
  const h = await hand(t, {
    wrapper: unprivileged(),
    controller: [],
    app: ["grep", "NoNewPrivs", "/proc/self/status"],
  });
  await h.exit;
  assert.match(h.stdout(), /NoNewPrivs:\s*1/);
});

// ---- too little of everything: one sentence, and nothing is left ----

test("too few processes are allowed", async (t) => {
  if (!requires(t, "unshare", "root")) return;
  const uid = 61_234; // nothing else runs as this user
  for (const processes of [1, 2, 3, 4]) {
    const h = await hand(t, {
      wrapper: [...limits({ processes }), ...unprivileged(uid)],
      controller: soon,
      app: [app, "ignore"],
    });
    const { code } = await h.exit;
    const tried = h.events().find(({ event }) => event === "exited");
    if (tried) assert.ok(tried.how === "not_forked" || tried.how === "signal", String(tried.how));
    else assert.match(h.stderr(), /leasehold: no process could be forked|Cannot fork|the controller died/);
    assert.notEqual(code, 0);
    await h.no_descendant();
  }
});

test("too few descriptors are allowed", async (t) => {
  if (!requires(t, "unshare", "root")) return;
  for (const files of [4, 8, 12, 16, 20, 24, 32]) {
    const h = await hand(t, { wrapper: limits({ files }), controller: soon, app: [app, "ignore"] });
    const { code } = await h.exit;
    if (code !== 137) {
      assert.ok(code === 70 || code === 78, `exit code ${code} with ${files} descriptors`);
      assert.match(h.stderr(), /leasehold: /);
    }
    await h.no_descendant();
  }
});

test("a CPU quota of a fifth of a core, and the app busy in eleven processes", async (t) => {
  if (!requires(t, "root")) return;
  const group = cgroup(t, { cpu_percent: 20 });
  const h = await hand(t, {
    wrapper: group.prefix,
    controller: ["--ttl", "6000", "--renew-for", "0"],
    app: [app, "ignore", "daemon", "busy", "11"],
  });
  const doomed = await h.app_tree(13);
  assert.equal((await h.event("killing")).why, "deadline");
  await h.gone(doomed);
  assert.ok(group.throttled().times > 0, "the quota had no effect");
});

test("a group frozen past the deadline: the app dies at the thaw", async (t) => {
  if (!requires(t, "root")) return;
  const group = cgroup(t);
  const h = await hand(t, { wrapper: group.prefix, controller: soon, app: root_daemons });
  const doomed = await h.app_tree(4);
  await group.freeze();
  await h.sleep(2000);
  assert.deepEqual(h.alive(doomed), doomed);
  group.thaw();
  await h.gone(doomed);
  assert.equal((await h.event("killing")).why, "deadline");
});
