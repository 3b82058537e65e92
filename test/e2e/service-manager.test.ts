// As a service of Type=notify: what systemd is told, through its own systemd-notify, on a real socket of the kind that systemd listens on.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test, type TestContext } from "node:test";
import { Contenders, until } from "../support/contenders.ts";
import { requires } from "../support/requires.ts";
import { label } from "../support/volume.ts";

/** Prints each message as a line of JSON. Of a barrier the descriptor is closed, which says that all before it was read. */
const receiver = `
import json, os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("[]", flush=True)
while True:
    text, fds, _, _ = socket.recv_fds(s, 65536, 8)
    for fd in fds: os.close(fd)
    print(json.dumps(text.decode().splitlines()), flush=True)
`;

/** systemd's end. All messages, in the order in which they came. */
async function systemd(t: TestContext, folder: string): Promise<{ socket: string; told: string[] }> {
  const socket = join(folder, "notify");
  const child = spawn("python3", ["-c", receiver, socket], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  const told: string[] = [];
  let listens = false;
  createInterface(child.stdout).on("line", (line) => {
    listens = true;
    told.push(...(JSON.parse(line) as string[]));
  });
  await until(() => listens, "the receiver");
  return { socket, told };
}

const as_service = ["sh", "-c", 'export WATCHDOG_PID=$$; exec "$@"', "systemd"];

test("it is up, what it does, signs of life, and the stop are told; the app doesn't hear of systemd", async (t) => {
  if (!requires(t, "python3", "systemd-notify")) return;
  const cast = new Contenders(t);
  const { socket, told } = await systemd(t, cast.folder);
  const seen = (pattern: RegExp) =>
    until(
      () => told.find((one) => pattern.test(one)),
      `${pattern}`,
      () => `${told.join("\n")}\n${cast.story()}`,
    );
  const env_file = join(cast.folder, "env");
  const one = cast.start({
    lock: "memory:",
    wrapper: as_service,
    env: { NOTIFY_SOCKET: socket, WATCHDOG_USEC: "400000", ENV_FILE: env_file },
    app: ["sh", "-c", 'env >"$ENV_FILE.tmp"; mv "$ENV_FILE.tmp" "$ENV_FILE"; exec sleep 600'],
  });
  await seen(/^READY=1$/);
  await seen(/^STATUS=the app runs, process \d+$/);
  await until(() => told.filter((one) => one === "WATCHDOG=1").length >= 3, "three signs of life");
  const env = await until(() => {
    try {
      return readFileSync(env_file, "utf8");
    } catch {
      return undefined;
    }
  }, "the app's environment");
  assert.doesNotMatch(env, /NOTIFY_SOCKET|WATCHDOG/);
  assert.ok(!told.includes("STOPPING=1"));
  one.signal("SIGTERM");
  await seen(/^STOPPING=1$/);
  await one.exited();
  assert.equal(told.filter((one) => one === "READY=1").length, 1);
});

test("a standby is up as well; a watchdog that is another process's gets nothing", async (t) => {
  if (!requires(t, "python3", "systemd-notify")) return;
  const cast = new Contenders(t);
  const volume = join(cast.folder, "volume");
  label(volume, 3000);
  const [lock, args] = [`file://${volume}`, ["--ttl", "3s", "--drain", "200ms"]];
  const holder = cast.start({ lock, args });
  await cast.holder();
  const { socket, told } = await systemd(t, cast.folder);
  cast.start({ lock, args, env: { NOTIFY_SOCKET: socket, WATCHDOG_USEC: "20000", WATCHDOG_PID: "1" } });
  const waiting = new RegExp(`^STATUS=waiting: the lock is held by ${holder.node}`);
  await until(
    () => told.some((one) => waiting.test(one)),
    "its status",
    () => `${told.join("\n")}\n${cast.story()}`,
  );
  assert.ok(told.includes("READY=1"));
  assert.ok(!told.includes("WATCHDOG=1"));
});

test("who carries the messages gets nothing of what leasehold is told", async (t) => {
  const cast = new Contenders(t);
  const messenger = join(cast.folder, "systemd-notify");
  writeFileSync(messenger, `#!/bin/sh\nset >>"\${0%/*}/environment"\n`, { mode: 0o755 });
  const env = { NOTIFY_SOCKET: "/run/notify", PATH: cast.folder, LEASEHOLD_LOSS_GRACE: "2s" };
  cast.start({ lock: "memory:", env });
  await cast.holder();
  const environment = await until(() => {
    try {
      return readFileSync(join(cast.folder, "environment"), "utf8") || undefined;
    } catch {
      return undefined;
    }
  }, "a message");
  assert.match(environment, /^NOTIFY_SOCKET=/m);
  assert.doesNotMatch(environment, /LEASEHOLD/);
});

test("without systemd-notify it says so once, and goes on", async (t) => {
  const cast = new Contenders(t);
  const env = { NOTIFY_SOCKET: join(cast.folder, "nobody"), WATCHDOG_USEC: "20000", PATH: cast.folder };
  const one = cast.start({ lock: "memory:", env });
  await one.line(/^systemd isn't told how leasehold is: systemd-notify failed \(it is not there\)/);
  await cast.holder();
  one.signal("SIGTERM");
  await one.exited();
  const notes = one.lines().filter(({ message }) => message.startsWith("systemd isn't told"));
  assert.equal(notes.length, 1);
});
