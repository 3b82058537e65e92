// The app has the terminal as if it were started from it directly: job control, resize, hang-up. The guard changes nothing
// about it, and gives it back.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { app, Hand, prepare } from "../support/hand.ts";
import { open_pty, type Pty } from "../support/pty.ts";
import { read_process } from "../support/processes.ts";
import { requires } from "../support/requires.ts";

type OnTerminal = { h: Hand; pty: Pty; command: string };

/** A terminal with a shell on it, at its prompt; `command` runs the guard. Or with the guard itself as session leader. */
async function terminal(
  t: TestContext,
  options: { controller?: string[]; app: string[]; leader?: "shell" | "script" | "guard" },
): Promise<OnTerminal> {
  const prepared = prepare({
    controller: options.controller ?? [],
    app: options.app,
    env: { PATH: process.env.PATH, PS1: "outer> " },
  });
  const words = prepared.argv.map((word) => `'${word}'`).join(" ");
  const command = `${prepared.report}.sh`;
  writeFileSync(command, `exec ${words}\n`);
  const leaders = {
    shell: ["bash", "--norc", "-i"],
    script: ["sh", "-c", '"$@"; echo ended $?; sleep 100', "script", ...prepared.argv],
    guard: prepared.argv,
  };
  const leader = leaders[options.leader ?? "shell"];
  const pty = await open_pty(t, leader, { env: prepared.env });
  const h = new Hand(pty.helper, prepared, true);
  t.after(async () => {
    await pty.close();
    await h.clean();
    prepared.remove();
  });
  if (options.leader === undefined) await pty.wait_for("outer> ");
  return { h, pty, command: `sh ${command}` };
}
const shell = ["env", "PS1=inner> ", "bash", "--norc", "-i"];

async function until_foreground(h: Hand, pty: Pty, is: (pgrp: number) => boolean): Promise<number> {
  for (let round = 0; round < 1000; round++) {
    const pgrp = await pty.foreground_pgrp();
    if (is(pgrp)) return pgrp;
    await h.sleep(10);
  }
  throw new Error(`the foreground group is ${await pty.foreground_pgrp()}`);
}

test("a shell as the app: Ctrl-C, Ctrl-Z, fg, resize, exit; then the terminal is as it was", async (t) => {
  if (!requires(t, "bash")) return;
  const { h, pty, command } = await terminal(t, { app: shell });
  const [modes, outer_shell] = [await pty.modes(), await pty.foreground_pgrp()];
  pty.write(`${command}\n`);
  await pty.wait_for("inner> ");
  const inner_shell = await pty.foreground_pgrp();
  assert.equal(inner_shell, h.app_group());

  pty.write("sleep 1000\n");
  const sleeper = await until_foreground(h, pty, (pgrp) => pgrp !== inner_shell);
  await h.until(() => read_process(sleeper)?.comm === "sleep");
  pty.write("\x1a");
  await pty.wait_for("Stopped");
  assert.equal(read_process(sleeper)?.state, "T");
  pty.write("fg\n");
  await until_foreground(h, pty, (pgrp) => pgrp === sleeper);
  pty.write("\x03");
  await pty.wait_for("inner> ");
  await h.until(() => read_process(sleeper) === undefined, "the end of sleep");

  await pty.resize(123, 45);
  pty.write("stty size\n");
  await pty.wait_for("45 123");
  pty.write("exit 7\n");
  await pty.wait_for("outer> ");
  assert.equal(await pty.foreground_pgrp(), outer_shell);
  assert.deepEqual(await pty.modes(), modes);
  pty.write("echo code $?\n");
  await pty.wait_for("code 7");
});

test("whoever started it without job control has the terminal back afterwards", async (t) => {
  const { h, pty } = await terminal(t, { leader: "script", app: [app, "say", "up"] });
  await pty.wait_for("up");
  const script = pty.pid;
  assert.notEqual(await pty.foreground_pgrp(), script);
  h.kill(h.outer, "SIGTERM");
  await pty.wait_for("ended 143");
  assert.equal(await pty.foreground_pgrp(), script);
});

test("what the terminal tells its foreground group reaches the app at once: Ctrl-C, a new size", async (t) => {
  if (!requires(t, "bash")) return;
  const { pty, command } = await terminal(t, { app: [app, "signals", "say", "ready"] });
  pty.write(`${command}\n`);
  await pty.wait_for("ready");
  await pty.resize(50, 10);
  await pty.wait_for("signal 28"); // SIGWINCH
  pty.write("\x03");
  await pty.wait_for("signal 2\r"); // SIGINT
  pty.write("\x1c");
  await pty.wait_for("signal 3\r"); // SIGQUIT
});

test("Ctrl-Z at an app without job control stops nothing, and least of all the guard", async (t) => {
  if (!requires(t, "root", "bash")) return;
  const { h, pty, command } = await terminal(t, {
    controller: ["--ttl", "1500", "--renew-for", "0"],
    app: [app, "uid", "65534", "ignore", "daemon", "daemon"],
  });
  pty.write(`${command}\n`);
  const doomed = await h.app_tree(3);
  pty.write("\x1a");
  await h.gone(doomed);
  await pty.wait_for("outer> ");
});

test("started in the background: the terminal stays with whoever has it", async (t) => {
  if (!requires(t, "bash")) return;
  const { h, pty, command } = await terminal(t, { app: [app, "say", "up"] });
  const outer_shell = await pty.foreground_pgrp();
  pty.write(`${command} &\n`);
  await pty.wait_for("up");
  assert.equal(await pty.foreground_pgrp(), outer_shell);
  pty.write("wait %1; echo ended $?\n");
  h.kill(h.outer, "SIGTERM");
  await pty.wait_for("ended 143");
  assert.equal(await pty.foreground_pgrp(), outer_shell);
});

// ---- the ways in which it is lost ----

test("the terminal hangs up: the app gets SIGHUP, ends, and with it all the rest", async (t) => {
  const { h, pty } = await terminal(t, { leader: "guard", app: [app, "daemon", "child"] });
  const doomed = await h.app_tree(3);
  await pty.hangup();
  await h.gone(doomed);
  assert.equal((await pty.exit).code, 129);
});

test("the terminal hangs up, the app doesn't mind: it lives until its deadline, and not longer", async (t) => {
  if (!requires(t, "root")) return;
  const { h, pty } = await terminal(t, {
    leader: "guard",
    controller: ["--ttl", "1500", "--renew-for", "1000"],
    app: [app, "uid", "65534", "ignore", "daemon", "daemon"],
  });
  const doomed = await h.app_tree(3);
  await pty.hangup();
  assert.equal((await h.event("killing")).why, "deadline");
  await h.gone(doomed);
  assert.equal((await pty.exit).code, 137);
});

test("the shell around it is killed, and the terminal hangs up: the same", async (t) => {
  if (!requires(t, "root", "bash")) return;
  const { h, pty, command } = await terminal(t, {
    controller: ["--ttl", "1500", "--renew-for", "1000"],
    app: [app, "uid", "65534", "ignore", "daemon", "daemon"],
  });
  pty.write(`${command}\n`);
  const doomed = await h.app_tree(3);
  h.kill(pty.pid, "SIGKILL");
  await pty.hangup();
  await h.gone(doomed);
});

test("nobody reads from the terminal: the deadline is kept", async (t) => {
  const { h, pty } = await terminal(t, {
    leader: "guard",
    controller: ["--ttl", "1500", "--renew-for", "0", "--after-start", "log-flood"],
    app: ["sh", "-c", "while :; do echo 0123456789012345678901234567890123456789; done"],
  });
  await h.event("started");
  await pty.stop_reading();
  const doomed = await h.app_tree(1);
  await h.gone(doomed);
  await h.event("empty");
});
