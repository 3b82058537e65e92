// G9: the app's descriptors are the app's; a log that nobody reads costs log lines, never the deadline.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { test } from "node:test";
import { app, compile, guard, hand } from "../support/hand.ts";

const controller = compile("bench/controller.c", "src/guard/frame.c");

function run(
  script: string,
  ...command: string[]
): { status: number | null; stdout: string; stderr: string } {
  const args = ["-c", script, guard, "guard", controller, "5000", "--", ...command];
  return spawnSync("sh", args, { encoding: "latin1", timeout: 30_000, input: "from stdin" });
}

test("standard input is piped through, and its end is seen", () => {
  assert.deepEqual(run('exec "$0" "$@"', "cat").stdout, "from stdin");
});

test("closed standard descriptors are closed for the app", () => {
  const list = ["sh", "-c", "ls -l /proc/$$/fd | awk '{print $9}' | grep -c '^0$' >&2; :"];
  assert.equal(run('exec "$0" "$@" <&-', ...list).stderr.trim(), "0");
  assert.equal(run('exec "$0" "$@"', ...list).stderr.trim(), "1");
  const { status } = run(
    'exec "$0" "$@" <&- >&- 2>&-',
    "sh",
    "-c",
    "test ! -e /proc/$$/fd/1 && test ! -e /proc/$$/fd/2",
  );
  assert.equal(status, 0);
});

test("other descriptors are passed on, and none of the guard's reaches the app", async (t) => {
  const given = 'exec 7</dev/zero; ls /proc/$$/fd; exec "$0" "$@"';
  const h = await hand(t, { wrapper: ["sh", "-c", given], controller: [], app: [app] });
  await h.event("started");
  const [main] = await h.app_tree(1);
  const folder = `/proc/${main?.pid}/fd`;
  const names = readdirSync(folder);
  assert.deepEqual(names.toSorted(), h.stdout().trim().split("\n").toSorted());
  assert.equal(readlinkSync(`${folder}/7`), "/dev/zero");
});

test("the flags of the app's descriptors are not touched", async (t) => {
  const flags = (pid: number | string): string[] =>
    [0, 1, 2].map(
      (fd) => /flags:\s*(\w+)/.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8"))?.[1] ?? "",
    );
  const h = await hand(t, {
    wrapper: ["sh", "-c", 'cat /proc/$$/fdinfo/0 /proc/$$/fdinfo/1 /proc/$$/fdinfo/2; exec "$0" "$@"'],
    controller: [],
    app: [app, "say", "up"],
  });
  await h.output(/^up$/m);
  const before = [...h.stdout().matchAll(/flags:\s*(\w+)/g)].map(([, value]) => value);
  h.kill(h.role("lh-pump"), "SIGKILL");
  await h.until(() => h.maybe_role("lh-pump"));
  const [main] = await h.app_tree(1);
  assert.deepEqual(flags(main?.pid ?? 0), before);
});

test("an app that makes standard error non-blocking loses no log line of ours", async (t) => {
  const h = await hand(t, { controller: ["--grace", "200"], app: [app, "nonblock", "say", "up"] });
  await h.output(/up/);
  h.kill(h.controller, "SIGKILL");
  await h.exit;
  assert.match(h.stderr(), /the controller died/);
});

test("nobody reads standard output and error: the app is untouched, the deadline is kept", async (t) => {
  // The pipes are full before the guard starts; nobody reads until the end.
  const fill =
    "import os,sys\nfor fd in (1,2):\n os.set_blocking(fd,False)\n try:\n  while True: os.write(fd,b'.'*4096)\n except BlockingIOError: os.set_blocking(fd,True)\n";
  const h = await hand(t, {
    wrapper: ["sh", "-c", 'python3 -c "$1"; shift; exec "$@"', "fill", fill],
    controller: ["--ttl", "2500", "--renew-for", "1500", "--after-start", "log-flood"],
    app: [app, "ignore", "daemon", "child"],
    silent: true,
  });
  await h.event("started");
  const doomed = await h.app_tree(3);
  h.kill(h.role("lh-inner"), "SIGSTOP"); // gives the guard something to log, and takes the ready hand away
  await h.sleep(500);
  assert.deepEqual(h.alive(doomed), doomed);
  await h.gone(doomed);
  await h.event("empty");
});

test("log lines that found no room are counted", async (t) => {
  const h = await hand(t, {
    controller: ["--ttl", "20000", "--after-start", "log-flood", "--on-stop", "ignore"],
    app: [app, "ignore"],
  });
  await h.event("started");
  const pump = h.role("lh-pump");
  h.kill(pump, "SIGSTOP");
  await h.sleep(600); // the controller has filled the log pipe
  for (let i = 0; i < 2; i++) {
    h.kill(h.outer, "SIGTERM"); // each gives one line: the controller does not take it
    await h.sleep(1200);
  }
  h.kill(pump, "SIGCONT");
  await h.sleep(300);
  h.kill(h.outer, "SIGTERM");
  await h.until(() => /\(2 log lines dropped before this one\)/.test(h.stderr()));
});
