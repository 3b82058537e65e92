// leasehold exec: a command beside the app, which never outlives the lease, the app or leasehold.

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Contender, Contenders, until } from "../support/contenders.ts";
import { type Etcd, etcd } from "../support/etcd.ts";
import { app, guard } from "../support/hand.ts";
import { descendants, is_alive, type Process } from "../support/processes.ts";
import { requires } from "../support/requires.ts";

type Holder = { servers: Etcd; contenders: Contenders; holder: Contender; lock: string };

async function holding(
  t: TestContext,
  args: readonly string[] = ["--ttl", "10s"],
  options = {},
): Promise<Holder | null> {
  if (!requires(t, "etcd", "etcdctl")) return null;
  const servers = await etcd(t);
  await servers.ready();
  const contenders = new Contenders(t);
  const lock = `etcd://127.0.0.1:${servers.endpoints[0]?.port}/exec`;
  const holder = contenders.start({ lock, args, ...options });
  await contenders.holder();
  return { servers, contenders, holder, lock };
}

function exec(
  holder: Contender,
  ...command: string[]
): { code: number | null; stdout: string; stderr: string } {
  const args = ["exec", "--pid", String(holder.outer), "--", ...command];
  const { status, stdout, stderr } = spawnSync(guard, args, { encoding: "utf8", timeout: 30_000 });
  return { code: status, stdout, stderr };
}

/** In the background: its own process, and the command with all that it started, once `count` of them are there. */
async function background(
  t: TestContext,
  holder: Contender,
  command: readonly string[],
  count: number,
): Promise<{ child: ChildProcess; tree: Process[]; stderr: () => string; code: Promise<number | null> }> {
  const child = spawn(guard, ["exec", "--pid", String(holder.outer), "--", ...command]);
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const code = once(child, "exit").then(([value]) => value as number | null);
  const tree = await until(
    () => {
      const all = descendants(child.pid ?? 0).filter(
        ({ comm, state }) => comm !== "lh-job" && comm !== "leasehold" && state !== "Z",
      );
      // A daemon is there before it has left the group, and before the one between it and its parent has ended.
      const away = all.filter(
        ({ pgrp, ppid }) => pgrp !== all[0]?.pgrp && !all.some(({ pid }) => pid === ppid),
      );
      return all.length >= count && (away.length > 0 || !command.includes("daemon")) && all;
    },
    "the command",
    () => stderr,
  );
  t.after(() => {
    for (const one of tree) if (is_alive(one)) process.kill(one.pid, "SIGKILL");
    child.kill("SIGKILL");
  });
  return { child, tree, stderr: () => stderr, code };
}

const gone = (tree: readonly Process[], story: () => string): Promise<boolean> =>
  until(() => !tree.some(is_alive), "its end", story, 20_000);

test("output, input, exit code and environment are the command's own", async (t) => {
  const given = await holding(t, ["--ttl", "10s"], { env: { NODE_ENV: "production", SECRET: "the app's" } });
  if (!given) return;
  const { holder } = given;
  assert.deepEqual(exec(holder, "sh", "-c", "echo out; echo err >&2; exit 7"), {
    code: 7,
    stdout: "out\n",
    stderr: "err\n",
  });
  assert.equal(exec(holder, "sh", "-c", "kill -9 $$").code, 128 + 9);
  const missing = exec(holder, "/no/such/command");
  assert.deepEqual([missing.code, missing.stdout], [127, ""]);
  assert.match(missing.stderr, /^leasehold: "\/no\/such\/command" can't be executed \(errno 2\)\n$/);

  const args = ["exec", "--pid", String(holder.outer), "--", "sh", "-c", "cat; env | sort"];
  const env = { PATH: process.env.PATH, LEASEHOLD_LOCK_PASSWORD: "s3cret", OWN: "1", NODE_ENV: "test" };
  const { stdout } = spawnSync(guard, args, { encoding: "utf8", env, input: "from standard input\n" });
  assert.match(stdout, /^from standard input\n/);
  assert.match(stdout, /^OWN=1$/m);
  assert.match(stdout, /^NODE_ENV=production$/m, "what Node must not see comes from the app's environment");
  assert.doesNotMatch(stdout, /LEASEHOLD_LOCK_PASSWORD|SECRET/);
});

test("a large output arrives whole at a slow reader: the pipe stays a blocking one", async (t) => {
  const given = await holding(t);
  if (!given) return;
  const script = `"$0" exec --pid "$1" -- sh -c 'head -c 3000000 /dev/zero' | { sleep 0.5; wc -c; }`;
  const { stdout } = spawnSync("sh", ["-c", script, guard, String(given.holder.outer)], { encoding: "utf8" });
  assert.equal(stdout.trim(), "3000000");
});

test("--timeout stops it: 124", async (t) => {
  const given = await holding(t);
  if (!given) return;
  const args = ["exec", "--pid", String(given.holder.outer), "--timeout", "300ms", "--", "sleep", "1000"];
  const { status, stderr } = spawnSync(guard, args, { encoding: "utf8" });
  assert.equal(status, 124);
  assert.match(stderr, /^leasehold: the command was stopped: its time is over\n$/);
});

test("the controller is killed: the command, with its daemon, is dead before the lock is another's", async (t) => {
  const given = await holding(t);
  if (!given) return;
  const { contenders, holder, lock } = given;
  const other = contenders.start({ lock, args: ["--ttl", "10s"] });
  await other.line(/waiting/);
  const { tree, stderr, code } = await background(t, holder, [app, "ignore", "daemon", "child"], 3);
  process.kill(holder.controller, "SIGKILL");
  await other.line(/took the lock/);
  assert.deepEqual(tree.filter(is_alive), [], stderr());
  assert.equal(await code, 124);
  assert.match(stderr(), /the command was killed: /);
  await contenders.holder(holder);
  assert.equal(contenders.overlap_ms(), 0);
});

test("a requested stop: the command is dead before the lock is another's, though the app ended by itself", async (t) => {
  const given = await holding(t);
  if (!given) return;
  const { contenders, holder, lock } = given;
  const other = contenders.start({ lock, args: ["--ttl", "10s"] });
  await other.line(/waiting/);
  const { tree, code, child } = await background(t, holder, [app, "ignore", "daemon", "child"], 3);
  child.kill("SIGSTOP"); // as Ctrl-Z does; nothing of it is needed
  holder.signal("SIGTERM");
  await other.line(/took the lock/);
  assert.deepEqual(tree.filter(is_alive), []);
  assert.doesNotMatch(holder.story(), /still alive/);
  child.kill("SIGCONT");
  assert.equal(await code, 124);
});

/** A command whose own guard is stopped: nothing kills it. */
async function stuck(t: TestContext, holder: Contender): Promise<{ tree: Process[]; go_on: () => void }> {
  const { child, tree } = await background(t, holder, [app, "ignore", "daemon", "child"], 3);
  const job = descendants(child.pid ?? 0).find(({ comm }) => comm === "lh-job");
  assert.ok(job);
  const go_on = (): void => void (is_alive(job) && process.kill(job.pid, "SIGCONT"));
  t.after(go_on);
  process.kill(job.pid, "SIGSTOP");
  return { tree, go_on };
}
const still_alive = /a command of leasehold exec is still alive .*; the lock is kept until it is dead/;

test("the command's own guard is stopped: the lock is not given back while the command lives", async (t) => {
  const given = await holding(t, ["--ttl", "30s"]);
  if (!given) return;
  const { holder } = given;
  const { tree, go_on } = await stuck(t, holder);
  holder.signal("SIGTERM");
  await holder.line(still_alive);
  assert.equal(tree.filter(is_alive).length, tree.length);
  go_on();
  await holder.line(/^released the lock/);
  assert.deepEqual(tree.filter(is_alive), []);
});

test("the same with the controller dead: the guard doesn't have it released either", async (t) => {
  const given = await holding(t, ["--ttl", "30s"]);
  if (!given) return;
  const { holder, servers } = given;
  const { tree } = await stuck(t, holder);
  process.kill(holder.controller, "SIGKILL");
  await holder.line(/a job has not ended after 5000 ms: the lock is not released, its lease ends by itself/);
  assert.equal(await holder.exited(), 70);
  assert.equal(tree.filter(is_alive).length, tree.length);
  assert.notEqual(servers.ctl(["get", "/exec/lock"]), "");
});

test("the guard is killed: the command ends at once", async (t) => {
  const given = await holding(t);
  if (!given) return;
  const { tree, stderr, code } = await background(t, given.holder, [app, "ignore", "daemon", "child"], 3);
  process.kill(given.holder.outer, "SIGKILL");
  await gone(tree, stderr);
  assert.equal(await code, 124);
});

test("all of leasehold is gone at one instant, and exec is stopped: the command ends with the lease", async (t) => {
  const given = await holding(t);
  if (!given) return;
  const { child, tree, stderr, code } = await background(
    t,
    given.holder,
    [app, "ignore", "daemon", "child"],
    3,
  );
  child.kill("SIGSTOP");
  given.holder.vanish();
  await gone(tree, stderr);
  child.kill("SIGCONT");
  assert.equal(await code, 124);
});

test("exec itself is killed: so is the command", async (t) => {
  const given = await holding(t);
  if (!given) return;
  const { child, tree, stderr } = await background(t, given.holder, [app, "ignore", "daemon", "child"], 3);
  child.kill("SIGKILL");
  await gone(tree, stderr);
});

test("Ctrl-C reaches the command, which may go on; SIGTERM stops it", async (t) => {
  const given = await holding(t);
  if (!given) return;
  const script = "trap 'echo interrupted' INT; echo ready; while :; do sleep 0.05; done";
  const child = spawn(guard, ["exec", "--pid", String(given.holder.outer), "--", "sh", "-c", script]);
  t.after(() => child.kill("SIGKILL"));
  let stdout = "";
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  await until(() => stdout.includes("ready"), "its start");
  for (let n = 1; n <= 3; n++) {
    child.kill("SIGINT");
    await until(
      () => stdout.split("interrupted").length > n,
      `interrupt ${n}`,
      () => stdout,
      5000,
    );
  }
  child.kill("SIGTERM");
  assert.deepEqual(await once(child, "exit"), [128 + 15, null]);
});

test("a signal in the first moment, before exec has seen the command begin, reaches it, too", async (t) => {
  const given = await holding(t);
  if (!given) return;
  // The command interrupts it as soon as it runs: its parent is its guard, whose parent is exec.
  const script = `trap 'exit 7' "$0"; kill -"$0" $(awk '{ print $4 }' /proc/$PPID/stat); while :; do sleep 0.05; done`;
  for (const signal of Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? "INT" : "TERM"))) {
    const args = ["exec", "--pid", String(given.holder.outer), "--", "sh", "-c", script, signal];
    const child: ChildProcess = spawn(guard, args);
    t.after(() => child.kill("SIGKILL"));
    assert.deepEqual(await once(child, "exit"), [7, null]);
  }
});

test("a standby runs nothing: 75", async (t) => {
  const given = await holding(t);
  if (!given) return;
  const standby = given.contenders.start({ lock: given.lock, args: ["--ttl", "10s"] });
  await standby.line(/waiting/);
  const { code, stdout, stderr } = exec(standby, "echo", "ran");
  assert.deepEqual([code, stdout], [75, ""]);
  assert.match(
    stderr,
    /^leasehold: leasehold, process \d+, doesn't hold the lock with its app running; [^\n]*\n$/,
  );
});

test("before the app runs, while the last holder is being fenced, nothing else may touch the volume either", async (t) => {
  const given = await holding(t);
  if (!given) return;
  const { contenders, holder, lock } = given;
  holder.vanish();
  const next = contenders.start({ lock, args: ["--ttl", "10s", "--fence", "sleep 3"] });
  await next.line(/fencing first/);
  assert.equal(exec(next, "echo", "ran").code, 75);
  await contenders.holder(holder);
  assert.equal(exec(next, "echo", "ran").stdout, "ran\n");
});

test("none here: 75; several: they are listed; another process than one of them: 64", async (t) => {
  if (!requires(t, "unshare", "root")) return;
  const given = await holding(t);
  if (!given) return;
  const alone = ["unshare", "--pid", "--fork", "--mount-proc", guard, "exec", "--", "true"];
  const none = spawnSync(alone[0] ?? "", alone.slice(1), { encoding: "utf8" });
  assert.equal(none.status, 75);
  assert.match(none.stderr, /^leasehold: no leasehold of this user runs here; [^\n]*\n$/);

  given.contenders.start({ lock: given.lock });
  await sleep(500);
  const several = spawnSync(guard, ["exec", "--", "true"], { encoding: "utf8" });
  assert.equal(several.status, 64);
  assert.match(
    several.stderr,
    /^leasehold: \d+ leaseholds run here, processes [\d, ]+; choose one with --pid\n$/,
  );
  assert.ok(several.stderr.includes(String(given.holder.outer)));

  const other = spawnSync(guard, ["exec", "--pid", "1", "--", "true"], { encoding: "utf8" });
  assert.equal(other.status, 64);
  assert.match(
    other.stderr,
    /^leasehold: process 1 is no leasehold of this user in this container; these are: /,
  );
});
