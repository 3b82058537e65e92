// How commands end, and what leasehold says when it can't start one.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { app, compile, guard, hand } from "../support/hand.ts";
import { requires } from "../support/requires.ts";

const controller = compile("bench/controller.c", "src/guard/frame.c");

type Ended = { code: number | null; stdout: string; stderr: string };

/** The guard with the smallest controller, which ends as the app did. */
function run(...command: string[]): Ended {
  return start([guard, "guard", controller, "5000", "--", ...command]);
}
function start([program = "", ...args]: string[]): Ended {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", timeout: 30_000 });
  return { code: status, stdout, stderr };
}

test("every exit code of the app comes through", () => {
  for (let code = 0; code < 256; code++) assert.equal(run(app, "exit", String(code)).code, code);
});

test("the app ended by a signal: 128 + signal", () => {
  // 32 and 33 belong to the C library; the ones below don't end a process
  const harmless = new Set([17, 18, 19, 20, 21, 22, 23, 28, 32, 33]);
  for (let signal = 1; signal <= 64; signal++) {
    if (!harmless.has(signal)) assert.equal(run(app, "signal", String(signal)).code, 128 + signal);
  }
});

test("what can't be executed: 127 not found, 126 otherwise; a script without interpreter line is not run", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "leasehold-exec-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = (name: string, content: string, mode: number): string => {
    writeFileSync(join(folder, name), content);
    chmodSync(join(folder, name), mode);
    return join(folder, name);
  };
  assert.equal(run("no-such-command-anywhere").code, 127);
  assert.equal(run(join(folder, "none")).code, 127);
  assert.equal(run("").code, 127);
  assert.equal(run(folder).code, 126);
  assert.equal(run(file("plain", "echo hello\n", 0o644)).code, 126);
  assert.deepEqual(run(file("bare", "echo hello\n", 0o755)), { code: 126, stdout: "", stderr: "" });
});

test("the app is found along its PATH", () => {
  assert.deepEqual(run("echo", "found"), { code: 0, stdout: "found\n", stderr: "" });
});

test("the controller tells why the app couldn't be executed", async (t) => {
  const h = await hand(t, { controller: [], app: ["/no/such/program"] });
  const { how, value } = await h.event("exited");
  assert.deepEqual([how, value], ["not_executed", 2]);
  assert.equal((await h.exit).code, 127);
});

test("a job that is killed at its deadline: 124", async () => {
  const stdio = ["ignore", "inherit", "inherit", "pipe"] as const;
  const job = spawn(guard, ["job", "--deadline", "1", "--", "true"], { stdio: [...stdio] });
  assert.equal(await new Promise((resolve) => job.on("exit", resolve)), 124);
});

const wrong: Record<string, readonly [command: string[], code: number, sentence: RegExp]> = {
  "no command": [["guard", controller, "5000", "--"], 64, /^leasehold: no command; it comes after --\n$/],
  "no controller": [["guard"], 64, /^leasehold: guard: no controller/],
  "a controller that isn't there": [
    ["guard", "/no/controller", "--", "true"],
    70,
    /\/no\/controller can't be executed/,
  ],
  "an unknown role": [["frobnicate"], 64, /^leasehold: unknown command 'frobnicate'/],
  "a probe without operation": [["probe"], 64, /^leasehold: probe: no operation\n$/],
  "an unknown operation": [["probe", "chmod", "/x"], 64, /'chmod' is not an operation/],
  "an operation without its argument": [["probe", "read", "/x"], 64, /'read' lacks an argument/],
  "an operation with a wrong number": [
    ["probe", "read", "/x", "-1"],
    64,
    /read needs a whole number up to 1048576, not '-1'/,
  ],
  "a job without deadline": [["job", "--", "true"], 64, /--deadline is missing/],
  "a job without command": [["job", "--deadline", "1"], 64, /job: no command/],
  "a job with an unknown option": [
    ["job", "--deadlin", "1", "--", "true"],
    64,
    /'--deadlin' is not an option/,
  ],
  "a deadline that is no number": [
    ["job", "--deadline", "5s", "--", "true"],
    64,
    /--deadline needs a whole number up to 18446744073709551615, not '5s'/,
  ],
  "a job without its report socket": [
    ["job", "--deadline", "1", "--", "true"],
    64,
    /descriptor 3 is not a socket/,
  ],
};
for (const [name, [command, code, sentence]] of Object.entries(wrong)) {
  test(`${name}: exit code ${code} and one sentence`, () => {
    const ended = start([guard, ...command]);
    assert.deepEqual([ended.code, ended.stdout], [code, ""]);
    assert.match(ended.stderr, sentence);
  });
}

test("/proc is not mounted: 78, and the remedy", (t) => {
  if (!requires(t, "unshare", "root")) return;
  const ended = start([
    "unshare",
    "-m",
    "sh",
    "-c",
    'mount -t tmpfs none /proc && exec "$0" guard "$1" -- true',
    guard,
    controller,
  ]);
  assert.equal(ended.code, 78);
  assert.match(ended.stderr, /^leasehold: \/proc is not mounted .*: mount it/);
});

test("/proc of another PID namespace: 78, for its numbers are foreign", (t) => {
  if (!requires(t, "unshare", "root")) return;
  const ended = start(["unshare", "--pid", "--fork", guard, "guard", controller, "--", "true"]);
  assert.equal(ended.code, 78);
  assert.match(ended.stderr, /\/proc is that of another PID namespace/);
});

const without_kill = ["setpriv", "--bounding-set=-kill", "--inh-caps=-kill"];

test("CAP_KILL is missing, the app may change its user, not PID 1: 78, and the capability is named", (t) => {
  if (!requires(t, "unshare", "root")) return;
  const ended = start([...without_kill, guard, "guard", controller, "--", "true"]);
  assert.equal(ended.code, 78);
  assert.match(ended.stderr, /CAP_KILL is missing/);
});

test("CAP_KILL is missing, PID 1, the app has changed its user: the guard ends itself, and with it the namespace", async (t) => {
  if (!requires(t, "unshare", "root")) return;
  const h = await hand(t, {
    wrapper: ["unshare", "--pid", "--fork", "--mount-proc", ...without_kill],
    controller: ["--ttl", "1500", "--renew-for", "0"],
    app: [app, "uid", "65534", "ignore", "daemon", "child"],
  });
  const doomed = await h.app_tree(3);
  await h.gone(doomed);
  assert.equal((await h.exit).code, 86);
  assert.match(h.stderr(), /CAP_KILL is missing: ending PID 1 instead/);
});
