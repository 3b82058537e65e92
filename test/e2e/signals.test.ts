// What a signal to the guard does: the app's signals go to the app, a stop goes to the controller, and if that one doesn't
// take it the guard stops the app itself.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { app, hand, type Hand } from "../support/hand.ts";
import { unprivileged } from "../support/namespace.ts";
import { requires } from "../support/requires.ts";

/** SIGUSR2 ends `app signals`; the stop signal of these tests. */
const stop_signal = 12;
const signals = [app, "signals"];

async function ready(t: Parameters<typeof hand>[0], controller: string[], command = signals): Promise<Hand> {
  const h = await hand(t, {
    controller: ["--stop-signal", String(stop_signal), ...controller],
    app: command,
  });
  await h.output(/ready/);
  return h;
}
/** Any signal by its number: Node knows no names for real-time signals. */
function send(pid: number, signal: number): void {
  assert.equal(spawnSync("sh", ["-c", `kill -${signal} ${pid}`]).status, 0);
}

test("every signal that can be forwarded reaches the app", async (t) => {
  const h = await ready(t, []);
  // 9 and 19 can't be caught, 17 is the guard's own, 15 is a stop, 32 and 33 belong to the C library
  const not_forwarded = new Set([9, 12, 15, 17, 19, 32, 33]);
  for (let signal = 1; signal <= 64; signal++) {
    if (not_forwarded.has(signal)) continue;
    send(h.outer, signal);
    await h.output(new RegExp(`^signal ${signal}$`, "m"));
  }
  send(h.outer, 12);
  assert.equal((await h.exit).code, 0);
});

test("INT, QUIT and HUP go to the app and are reported; TERM is a stop, and the controller's", async (t) => {
  const h = await ready(t, []);
  for (const signal of [1, 2, 3]) {
    send(h.outer, signal);
    await h.until(() =>
      h.events().some((e) => e.event === "signalled" && e.signal === signal && e.forwarded === true),
    );
  }
  send(h.outer, 15);
  await h.until(() =>
    h.events().some((e) => e.event === "signalled" && e.signal === 15 && e.forwarded === false),
  );
  assert.equal((await h.exit).code, 0);
  assert.match(h.stdout(), /signal 12/);
  assert.doesNotMatch(h.stdout(), /signal 15/);
});

test("a stop that the controller doesn't take: the guard sends the registered stop signal itself", async (t) => {
  const h = await ready(t, ["--on-stop", "ignore"]);
  send(h.outer, 15);
  assert.equal((await h.exit).code, 0);
  assert.match(h.stderr(), /did not take the stop within 1000 ms: sending signal 12 to the app/);
});

test("a stop while the controller is stopped: the same, and the guard doesn't wait for it for ever", async (t) => {
  const h = await ready(t, ["--ttl", "20000"]);
  h.kill(h.controller, "SIGSTOP");
  send(h.outer, 15);
  assert.equal((await h.exit).code, 70);
  assert.match(h.stdout(), /signal 12/);
  assert.match(h.stderr(), /silent for 5 s/);
});

test("signals before the app was started are the controller's", async (t) => {
  const h = await hand(t, { controller: ["--no-start"], app: [app] });
  await h.event("controller");
  send(h.outer, 2);
  const seen = await h.event("signalled");
  assert.deepEqual([seen.signal, seen.forwarded], [2, false]);
  assert.equal((await h.exit).code, 130);
});

test("scope group: the stop reaches the whole group, and the rest keeps its time when the main process ends", async (t) => {
  // the shell ends at once; its child takes half a second to end by itself
  const script =
    "trap 'exit 3' USR2; sh -c \"trap 'sleep 0.5; echo child ended; exit' USR2; echo ready; while :; do sleep 0.1; done\" & wait";
  const h = await ready(t, ["--scope", "group"], ["sh", "-c", script]);
  send(h.outer, 15);
  await h.event("empty");
  assert.match(h.stdout(), /child ended/);
  assert.equal((await h.exit).code, 3);
});

test("scope main: what the main process leaves behind is killed at once", async (t) => {
  const script = "trap 'exit 3' USR2; sh -c \"trap '' USR2; echo ready; while :; do sleep 0.1; done\" & wait";
  const h = await ready(t, [], ["sh", "-c", script]);
  const doomed = await h.app_tree(2);
  send(h.outer, 15);
  assert.equal((await h.event("killing")).why, "main_ended");
  await h.gone(doomed);
});

const ignoring = `
import os, signal, sys
for s in (signal.SIGHUP, signal.SIGCHLD): signal.signal(s, signal.SIG_IGN)
for s in (signal.SIGPIPE, signal.SIGXFSZ): signal.signal(s, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_SETMASK, [signal.SIGUSR1])
os.execv(sys.argv[1], sys.argv[1:])`;

test("what was ignored or blocked when leasehold was started is so for the app, SIGCHLD included", async (t) => {
  const h = await hand(t, {
    wrapper: ["python3", "-c", ignoring],
    controller: [],
    app: ["grep", "-E", "^Sig(Ign|Blk)", "/proc/self/status"],
  });
  assert.equal((await h.exit).code, 0);
  const mask = (name: string): string => new RegExp(`${name}:\\s*0*(\\w+)`).exec(h.stdout())?.[1] ?? "";
  assert.equal(mask("SigIgn"), (1n | (1n << 16n)).toString(16));
  assert.equal(mask("SigBlk"), (1n << 9n).toString(16));
});

test("the app has the priority and policy with which leasehold was started", async (t) => {
  const h = await hand(t, {
    wrapper: ["nice", "-n", "5"],
    controller: [],
    app: ["cut", "-d", " ", "-f", "19,41", "/proc/self/stat"],
  });
  await h.exit;
  assert.equal(h.stdout(), "5 0\n");
});

test("the app's timers are as exact as they would be without leasehold", async (t) => {
  const { stdout: own } = spawnSync("cat", ["/proc/self/timerslack_ns"], { encoding: "latin1" });
  const h = await hand(t, { controller: [], app: ["cat", "/proc/self/timerslack_ns"] });
  await h.exit;
  assert.equal(h.stdout(), own);
});

// Linux 6.12 and later; older ones show no slice, with leasehold or without.
const chosen = `
import ctypes, os, platform, struct, sys
slice_ns = int(sys.argv[1])
number = {"x86_64": 314, "aarch64": 274}[platform.machine()]
ctypes.CDLL(None).syscall(number, 0, struct.pack("IIQiIQQQ", 48, 0, 0, 0, 0, slice_ns, 0, 0), 0)
os.execvp(sys.argv[2], sys.argv[2:])`;

for (const [whose, wrapper] of Object.entries({ usual: [], chosen: ["python3", "-c", chosen, "7000000"] }))
  test(`the app has the slice of the processor that it would have without leasehold: the ${whose} one`, async (t) => {
    if (!requires(t, "root")) return;
    const slice = ["sed", "-n", "s/^se.slice *: *//p", "/proc/self/sched"];
    const [program = "", ...rest] = [...wrapper, ...unprivileged(), ...slice];
    const { stdout: own } = spawnSync(program, rest, { encoding: "latin1" });
    for (const who of [[], unprivileged()]) {
      const h = await hand(t, { wrapper: [...wrapper, ...who], controller: [], app: slice });
      await h.exit;
      assert.equal(h.stdout(), own);
    }
  });
