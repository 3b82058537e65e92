// Backups that leasehold run makes by itself: by its schedule, and after a stop.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Status } from "../../src/ops/status.ts";
import { alone } from "../../src/backup/alone.ts";
import { until } from "../support/contenders.ts";
import { data_scene } from "../support/data-scene.ts";
import { quiet_port } from "../support/databases.ts";

const read = (path: string): string => readFileSync(path, "utf8").trim();

async function ask<T>(port: number, path: string): Promise<T> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`);
  return (path === "/metrics" ? await answer.text() : await answer.json()) as T;
}

test("by an interval: kept as many as are to be kept, told in status and metrics, and none is under way twice", async (t) => {
  const { start, contenders, stop, store } = data_scene(t);
  const port = await quiet_port();
  const one = start(
    "echo 1 > file; exec sleep 600",
    "--backup-schedule",
    "1s",
    "--backup-keep",
    "2",
    "--listen",
    `${port}`,
  );
  await contenders.holder();
  await one.line(/backups that are not to be kept any more are gone: \d{8}T/);
  assert.equal(readdirSync(join(store, "app")).length <= 3, true);
  const { backup } = await ask<Status>(port, "/status");
  assert.ok(
    backup && backup.ok >= 3 && backup.failed === 0 && backup.failure === null,
    JSON.stringify(backup),
  );
  assert.equal(backup.last?.bytes, 2);
  assert.ok(backup.at_risk_ms !== null && backup.at_risk_ms < 20_000);
  const metrics = await ask<string>(port, "/metrics");
  assert.match(metrics, /^leasehold_backups_total \d+$/m);
  assert.match(metrics, /^leasehold_backup_at_risk_seconds \d/m);
  await stop(one);
});

test("a failure is told and counted; the app goes on, alive and ready, and what would be lost grows", async (t) => {
  const { start, contenders, stop, store } = data_scene(t);
  const port = await quiet_port();
  const one = start(
    "exec sleep 600",
    "--backup-schedule",
    "1s",
    "--backup-with",
    "echo no; exit 3",
    "--listen",
    `${port}`,
  );
  await contenders.holder();
  await one.line(/the backup failed: the backup command ".*" ended with code 3; it said: no/);
  const status = await ask<Status>(port, "/status");
  assert.equal(status.ready, true);
  assert.ok((status.backup?.failed ?? 0) > 0 && status.backup?.failure?.includes("code 3") === true);
  const before_ms = status.backup.at_risk_ms ?? 0;
  await sleep(50);
  assert.ok(((await ask<Status>(port, "/status")).backup?.at_risk_ms ?? 0) > before_ms);
  assert.equal((await fetch(`http://127.0.0.1:${port}/livez`)).status, 200);
  assert.deepEqual(readdirSync(join(store, "app")), [], "nothing half made is left");
  await stop(one);
});

test("one that is due while another runs is left out and told; a stop ends the one under way", async (t) => {
  const { start, contenders, stop } = data_scene(t);
  const one = start("exec sleep 600", "--backup-schedule", "* * * * * *", "--backup-with", "exec sleep 601");
  await contenders.holder();
  await one.line(/a backup is due, and the one before it still runs: this one is left out/);
  await stop(one);
  assert.match(one.story(), /the backup under way is stopped with the app/);
});

test("after a requested stop: what the app wrote last is in the last backup; it failed: the exit code stays", async (t) => {
  const { start, contenders, stop, data, store, forget } = data_scene(t);
  const script = "trap 'echo last > file; exit 143' TERM; echo first > file; sleep 600 & wait";
  const one = start(script, "--backup-on-stop", "on");
  await contenders.holder();
  await until(() => existsSync(join(data, "file")), "it");
  await stop(one);
  assert.match(one.story(), /backing up what the app left\n.*backed up: /);
  forget();
  const two = start("exec sleep 600", "--backup-on-stop", "on", "--stop-timeout", "1ms");
  await contenders.holder();
  assert.equal(read(join(data, "file")), "last");
  two.signal("SIGTERM");
  assert.ok([137, 143].includes((await two.exited()) ?? 0), two.story());
  assert.match(two.story(), /the backup after the stop failed: (no time was left|it was killed)/);
  assert.equal(readdirSync(join(store, "app")).length, 1);
});

test("after a restore: a backup of what nobody has written to since is told, and what was restored stays until there is a later one", async (t) => {
  const { start, contenders, stop, life, forget, data, store } = data_scene(t);
  const restored = await life("first");
  forget();
  const port = await quiet_port();
  const flags = ["--backup-schedule", "1s", "--backup-keep", "1", "--listen", `${port}`];
  const one = start("exec sleep 600", ...flags);
  await contenders.holder();
  await one.line(/that are not to be kept any more are gone/);
  const why = new RegExp(
    `\\d{8}T\\S+ \\(of "a", token \\d+\\) is not later than ${restored}: it holds just what was restored;`,
  );
  assert.match(one.story(), why);
  const { backup } = await ask<Status>(port, "/status");
  assert.match(backup?.not_advanced ?? "", why);
  assert.match(await ask<string>(port, "/metrics"), /^leasehold_backup_not_advanced 1$/m);
  assert.ok(readdirSync(join(store, "app")).includes(restored));
  writeFileSync(join(data, "who"), "second");
  await one.line(new RegExp(`are gone: .*${restored}`));
  assert.ok(!readdirSync(join(store, "app")).includes(restored));
  assert.equal((await ask<Status>(port, "/status")).backup?.not_advanced, null);
  assert.match(await ask<string>(port, "/metrics"), /^leasehold_backup_not_advanced 0$/m);
  await stop(one);
});

test("one at a time, whoever begins it: by hand it is refused, by the schedule left out, after a stop it waits", async (t) => {
  const { start, contenders, command, data, work } = data_scene(t);
  const [begun, go] = [join(data, "../begun"), join(data, "../go")];
  const slow = `touch ${begun}; while ! [ -e ${go} ]; do sleep 0.05; done; echo x > "$LEASEHOLD_BACKUP_TARGET/x"`;
  const flags = ["--backup-schedule", "1s", "--backup-with", slow, "--backup-on-stop", "on"];
  const one = start("exec sleep 600", ...flags);
  await contenders.holder();
  await until(() => existsSync(begun), "a scheduled one");
  const refused = command("backup", "now", "--pid", String(one.outer));
  assert.equal(refused.status, 84, refused.stderr);
  assert.match(refused.stderr, /another one is under way; try again when it has ended/);
  writeFileSync(go, "");
  await one.line(/backed up: /);

  // This process is the other one from now on.
  let let_go = (): void => {};
  const held = alone(work, true, () => new Promise<void>((resolve) => (let_go = resolve)));
  await one.line(/a backup is due, and another one is under way: this one is left out/);
  one.signal("SIGTERM");
  await one.line(/backing up what the app left/);
  await sleep(500);
  let_go();
  await held;
  assert.equal(await one.exited(), 143, one.story());
  assert.match(one.story(), /backing up what the app left\n.*backed up: /);
});
