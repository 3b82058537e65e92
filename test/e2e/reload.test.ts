// leasehold reload: the running one reads its configuration again; its app isn't touched.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Authority } from "../support/certificates.ts";
import { type Contender, Contenders, until } from "../support/contenders.ts";
import { type Etcd, etcd } from "../support/etcd.ts";
import { guard } from "../support/hand.ts";
import { requires } from "../support/requires.ts";

type Running = { servers: Etcd; contenders: Contenders; holder: Contender; lock: string; folder: string };

/** A holder with this configuration file, which lies in its working directory's place: an absolute path. */
async function running(t: TestContext, yaml: string, args: readonly string[] = []): Promise<Running | null> {
  if (!requires(t, "etcd", "etcdctl")) return null;
  const servers = await etcd(t);
  await servers.ready();
  const folder = mkdtempSync(join(tmpdir(), "leasehold-reload-"));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "a.yaml"), yaml);
  const contenders = new Contenders(t);
  const lock = `etcd://127.0.0.1:${servers.endpoints[0]?.port}/reload`;
  const all = ["--ttl", "10s", "--config", join(folder, "a.yaml"), ...args];
  const holder = contenders.start({ lock, args: all });
  await contenders.holder();
  return { servers, contenders, holder, lock, folder };
}

function reload(holder: Contender): { code: number | null; stdout: string; stderr: string } {
  const args = ["reload", "--pid", String(holder.outer)];
  const { status, stdout, stderr } = spawnSync(guard, args, { encoding: "utf8", cwd: "/", timeout: 20_000 });
  return { code: status, stdout, stderr };
}

test("what can change does, what can't is named, and the app is the same process", async (t) => {
  const given = await running(t, "stop-timeout: 20s\npost-stop: 'echo before'\n");
  if (!given) return;
  const { holder, folder } = given;
  const { app } = holder;
  writeFileSync(
    join(folder, "a.yaml"),
    "stop-timeout: 1s\npost-stop: 'echo after'\nmargin: 1s\nnode: other\n",
  );
  const { code, stdout, stderr } = reload(holder);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.match(
    stdout,
    /^leasehold, process \d+, reads its configuration again; its log says what changes\n$/,
  );
  // --node is a flag, which beats the file.
  await holder.line(
    /^the configuration was read again, changed: stop-timeout, post-stop; needs a restart: margin$/,
  );
  assert.equal(holder.app, app);

  reload(holder);
  await holder.line(
    /^the configuration was read again, nothing has changed in effect; needs a restart: margin$/,
  );

  holder.signal("SIGTERM");
  await holder.line(/^post-stop: after$/);
  await holder.exited();
});

test("the time for a stop and what happens after a loss are the new ones", async (t) => {
  const given = await running(t, "stop-timeout: 300s\n");
  if (!given) return;
  const { servers, holder, folder } = given;
  writeFileSync(join(folder, "a.yaml"), "stop-timeout: 100ms\non-loss: standby\n");
  assert.equal(reload(holder).code, 0);
  await holder.line(/changed: stop-timeout, on-loss$/);
  servers.ctl(["del", "/reload/lock"]);
  await holder.line(/the lease is lost/);
  const takes = (): number =>
    holder.lines().filter(({ message }) => message.startsWith("took the lock")).length;
  await until(
    () => takes() === 2,
    "the lock once more",
    () => holder.story(),
  );
});

test("a wrong file is refused with its line, 78, and the running one isn't bothered", async (t) => {
  const given = await running(t, "stop-timeout: 20s\n");
  if (!given) return;
  const { holder, folder } = given;
  writeFileSync(join(folder, "a.yaml"), "stop-timeout: 20\n");
  const { code, stdout, stderr } = reload(holder);
  assert.deepEqual([code, stdout], [78, ""]);
  assert.match(
    stderr,
    /^leasehold: "[^\n]*a\.yaml", line 1: stop-timeout is "20", without a unit; write e\.g\. 20s\n$/,
  );
  assert.equal(holder.lines().filter(({ message }) => message.includes("read again")).length, 0);
});

test("a file that becomes wrong after the check: the configuration in effect stays, and the log says so", async (t) => {
  const given = await running(t, "post-stop: 'echo before'\n");
  if (!given) return;
  const { holder, folder } = given;
  writeFileSync(join(folder, "a.yaml"), "post-stop: [\n");
  process.kill(holder.controller, "SIGHUP");
  await holder.line(
    /^the configuration could not be read again, the one in effect stays: ".*a\.yaml", line \d+: /,
  );
  holder.signal("SIGTERM");
  await holder.line(/^post-stop: before$/);
});

test("a standby's patience: the new --wait-timeout counts from the beginning of its wait", async (t) => {
  const given = await running(t, "");
  if (!given) return;
  const { contenders, lock, folder } = given;
  writeFileSync(join(folder, "b.yaml"), "");
  const standby = contenders.start({ lock, args: ["--config", join(folder, "b.yaml")] });
  await standby.line(/waiting/);
  writeFileSync(join(folder, "b.yaml"), "wait-timeout: 1500ms\n");
  assert.equal(reload(standby).code, 0);
  assert.equal(await standby.exited(), 75);
  assert.match(standby.story(), /the wait is over: the lock is still held by node-1/);
});

test("a changed password file: the next login uses it", async (t) => {
  if (!requires(t, "etcd", "etcdctl")) return;
  const servers = await etcd(t);
  await servers.ready();
  const folder = mkdtempSync(join(tmpdir(), "leasehold-reload-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const add_user = (password: string): void => {
    servers.ctl(["user", "add", `app:${password}`]);
    servers.ctl(["user", "grant-role", "app", "root"]);
  };
  add_user("first-4711");
  for (const words of ["user add root:root", "user grant-role root root", "auth enable"])
    servers.ctl(words.split(" "));
  servers.ctl_args = ["--user", "root:root"];
  const file = join(folder, "password");
  writeFileSync(file, "first-4711\n");
  const contenders = new Contenders(t);
  const lock = `etcd://127.0.0.1:${servers.endpoints[0]?.port}/reload`;
  const args = ["--ttl", "10s", "--lock-user", "app", "--lock-password-file", file];
  const holder = contenders.start({ lock, args });
  await contenders.holder();
  const { app } = holder;

  writeFileSync(file, "second-4711\n");
  assert.equal(reload(holder).code, 0);
  await holder.line(/changed: lock-password-file$/);
  // Every token is void with it: the renewals go on only with the new password.
  servers.ctl(["user", "delete", "app"]);
  add_user("second-4711");
  await sleep(12_000);
  assert.equal(holder.app, app, holder.story());
  assert.doesNotMatch(holder.stderr, /4711/);
});

test("another authority: connections from then on are checked by the new file", async (t) => {
  if (!requires(t, "etcd", "etcdctl", "openssl")) return;
  const [old_one, new_one] = [new Authority(t), new Authority(t)];
  const folder = mkdtempSync(join(tmpdir(), "leasehold-reload-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = (name: string): string => join(folder, name);
  /** etcd reads its own at each connection. */
  const serve_as = (authority: Authority): void => {
    const { cert, key } = authority.sign("server", "IP:127.0.0.1");
    writeFileSync(file("cert"), cert);
    writeFileSync(file("key"), key);
  };
  serve_as(old_one);
  writeFileSync(file("ca"), old_one.ca.cert);
  const args = [`--cert-file=${file("cert")}`, `--key-file=${file("key")}`];
  const servers = await etcd(t, { https: true, args });
  servers.ctl_args = ["--cacert", file("ca"), "--insecure-skip-tls-verify"];
  await servers.ready();
  const contenders = new Contenders(t);
  const lock = `etcds://127.0.0.1:${servers.endpoints[0]?.port}/reload`;
  const holder = contenders.start({ lock, args: ["--ttl", "10s", "--lock-ca-file", file("ca")] });
  await contenders.holder();
  const { app } = holder;

  serve_as(new_one);
  writeFileSync(file("ca"), new_one.ca.cert);
  assert.equal(reload(holder).code, 0);
  await holder.line(/changed: lock-ca-file$/);
  await servers.members[0]?.kill();
  servers.members[0]?.start();
  await sleep(12_000);
  assert.equal(holder.app, app, holder.story());
});
