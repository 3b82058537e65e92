// G6 in a container as Docker makes it, with its seccomp profile, capabilities and masked /proc; the guard is PID 1. The
// controller is the small one in C, so that the root needs no Node.

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { type ContainerOptions, start_container, type Container } from "../support/container.ts";
import { app, compile, guard } from "../support/hand.ts";
import { descendants, is_alive, type Process, read_process } from "../support/processes.ts";
import { requires } from "../support/requires.ts";
import { setTimeout as sleep } from "node:timers/promises";

const controller = compile("bench/controller.c", "src/guard/frame.c");

/** The guard with the small controller: a deadline after so many milliseconds, then nothing any more. */
function contained(t: TestContext, options: Omit<ContainerOptions, "args"> & { app: string[]; ms?: number }) {
  return start_container(t, {
    ...options,
    args: ["/leasehold", "guard", "/controller", String(options.ms ?? 1500), "0", "--", ...options.app],
    rootfs_files: { "/leasehold": guard, "/controller": controller, "/app": app },
  });
}
/** All that the app is, once there are so many. Below PID 1 lie the controller, the pump, inner, and below that the app. */
async function tree(c: Container, least: number): Promise<Process[]> {
  for (let round = 0; round < 1000; round++, await sleep(10)) {
    const inner = descendants(c.pid).find(({ comm }) => comm === "lh-inner")?.pid;
    const found = inner === undefined ? [] : descendants(inner).filter(({ state }) => state !== "Z");
    if (found.length >= least) return found;
  }
  throw new Error(`no tree of ${least}: ${c.stdout()}${c.stderr()}`);
}

const stubborn = ["/app", "ignore", "daemon", "child", "daemon"];
const places: Record<string, { options: Omit<ContainerOptions, "args">; app: string[] }> = {
  "as root, the app changes its user": { options: {}, app: ["/app", "uid", "1234", ...stubborn.slice(1)] },
  "as a user": { options: { user: 1234 }, app: stubborn },
  "without CAP_KILL": { options: { drop: ["CAP_KILL"] }, app: stubborn },
  "no new privileges, read-only root, no capability": {
    options: { user: 1234, no_new_privileges: true, read_only: true, noexec_tmp: true },
    app: stubborn,
  },
  "a fifth of a core, few processes": { options: { cpu_percent: 20, pids_max: 20 }, app: stubborn },
};
for (const [name, place] of Object.entries(places)) {
  test(`in a container, ${name}: the deadline passes`, async (t) => {
    if (!requires(t, "root", "runc", "busybox")) return;
    const c = await contained(t, { ...place.options, app: place.app });
    const doomed = await tree(c, 4);
    assert.equal(await c.exit, 137, c.stderr());
    assert.deepEqual(doomed.filter(is_alive), []);
  });
}

test("in a container: docker stop, and the app's code", async (t) => {
  if (!requires(t, "root", "runc", "busybox")) return;
  const c = await contained(t, {
    ms: 60_000,
    app: ["/bin/sh", "-c", "trap 'echo bye; exit 5' TERM; while :; do sleep 0.05; done"],
  });
  await tree(c, 1);
  await sleep(300);
  c.kill("SIGTERM");
  assert.equal(await c.exit, 5, c.stderr());
  assert.equal(c.stdout(), "bye\n");
});

test("in a container: paused past the deadline, the app dies when it goes on", async (t) => {
  if (!requires(t, "root", "runc", "busybox")) return;
  const c = await contained(t, { ms: 2000, app: stubborn });
  const doomed = await tree(c, 4);
  c.pause();
  await sleep(2500);
  assert.deepEqual(doomed.filter(is_alive), doomed);
  c.resume();
  assert.equal(await c.exit, 137, c.stderr());
  assert.deepEqual(doomed.filter(is_alive), []);
});

test("in a container: kill -9 of PID 1 ends all of it", async (t) => {
  if (!requires(t, "root", "runc", "busybox")) return;
  const c = await contained(t, { ms: 60_000, app: ["/app", "uid", "1234", ...stubborn.slice(1)] });
  const doomed = await tree(c, 4);
  c.kill("SIGKILL");
  assert.equal(await c.exit, 137);
  assert.deepEqual(doomed.filter(is_alive), []);
});

test("in a container: PID 1 without CAP_KILL ends itself when the app has got out of its reach", async (t) => {
  if (!requires(t, "root", "runc", "busybox")) return;
  const c = await contained(t, {
    drop: ["CAP_KILL"],
    app: ["/app", "uid", "1234", ...stubborn.slice(1)],
  });
  const doomed = await tree(c, 4);
  assert.equal(await c.exit, 86, c.stderr());
  assert.match(c.stderr(), /CAP_KILL is missing: ending PID 1/);
  assert.deepEqual(doomed.filter(is_alive), []);
  assert.equal(read_process(c.pid), undefined);
});

test("in a container: an interactive shell on its terminal", async (t) => {
  if (!requires(t, "root", "runc", "busybox")) return;
  const c = await contained(t, { tty: true, ms: 60_000, app: ["/bin/sh", "-i"] });
  const { pty } = c;
  assert.ok(pty);
  await pty.wait_for("# ");
  pty.write("sleep 1000\n");
  await tree(c, 2);
  pty.write("\x1a");
  await pty.wait_for("Stopped");
  pty.write("exit\n");
  await pty.wait_for("# ");
  pty.write("exit 6\n");
  assert.equal(await c.exit, 6);
});
