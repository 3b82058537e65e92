// What can go wrong with backups and restores that leasehold makes for real: no room, a store that takes nothing, commands that hang,
// leave something running or do nothing, data of another user, and mounts in the way.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { spawnSync } from "node:child_process";
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { until } from "../support/contenders.ts";
import { type DataScene, data_scene, ttl_ms } from "../support/data-scene.ts";
import { sh } from "../support/file-systems.ts";
import { guard } from "../support/hand.ts";
import { unprivileged } from "../support/namespace.ts";
import { requires } from "../support/requires.ts";

const read = (path: string): string => readFileSync(path, "utf8").trim();
const mb = 1 << 20;
const run_flags = ({ volume, data, store }: DataScene): string[] => [
  ...["--lock", `file://${volume}`, "--ttl", `${ttl_ms}ms`, "--drain", "200ms", "--data", data],
  ...["--backup-store", store, "--backup-name", "app"],
];
/** How many processes sleep for exactly so long. */
const sleepers = (seconds: number): number =>
  spawnSync("pgrep", ["-xcf", `sleep ${seconds}`], { encoding: "utf8" }).stdout.trim() === "0" ? 0 : 1;

test("no room for a restore: seen before it begins, and told when it is used up meanwhile; the data is as it was", async (t) => {
  if (!requires(t, "root")) return;
  const one = data_scene(t, { volume: "size=16m" });
  const { start, stop, contenders, data, work, volume, command } = one;
  mkdirSync(data);
  writeFileSync(join(data, "large"), randomBytes(4 * mb));
  const id = await one.life("first");
  const flags = [...run_flags(one), "--backup", id];
  // 16 - 4: room for what was unpacked, but not for what a command makes of it, too.
  const twice =
    'cat "$LEASEHOLD_RESTORE_SOURCE"/* "$LEASEHOLD_RESTORE_SOURCE"/* "$LEASEHOLD_RESTORE_SOURCE"/* > "$LEASEHOLD_RESTORE_TARGET/x"';
  const used_up = command("restore", ...flags, "--restore-with", twice);
  assert.equal(used_up.status, 82, used_up.stderr);
  assert.match(used_up.stderr, /the restore command .* ended with code 1; it said: .*No space left/);
  assert.deepEqual(readdirSync(work), ["used.json"], "and the room is there again");
  writeFileSync(join(volume, "ballast"), Buffer.alloc(9 * mb));
  const before = command("restore", ...flags);
  assert.equal(before.status, 82, before.stderr);
  assert.match(
    before.stderr,
    new RegExp(`${id} .* needs 4(\\.\\d+)? M.*, and where .* is only .* are left; make room there`),
  );
  assert.equal(read(join(data, "who")), "first");
  rmSync(join(volume, "ballast"));
  const now = command("restore", ...flags);
  assert.equal(now.status, 0, now.stderr);
  const last = start("exec sleep 600");
  assert.equal(await contenders.holder(), last, last.story());
  await stop(last);
});

test("no room in the store, or one that can't be written to: told, counted, nothing half made is left, and the app goes on", async (t) => {
  if (!requires(t, "root")) return;
  const { start, stop, contenders, command, data, store } = data_scene(t, { store: "size=3m" });
  mkdirSync(data);
  writeFileSync(join(data, "large"), randomBytes(6 * mb));
  const one = start("exec sleep 600", "--backup-schedule", "1s");
  await contenders.holder();
  await one.line(/the backup failed: the store ".*" is full, .* are left; make room there/);
  await until(
    () => readdirSync(join(store, "app")).length === 0,
    "an empty store",
    () => one.story(),
  );
  rmSync(join(data, "large"));
  await one.line(/backed up: /);
  sh('mount -o remount,ro "$1"', store);
  await one.line(/the backup failed: the backup store can't be used: .* can't be written to|read-only/);
  const by_hand = command("backup", "now", "--pid", String(one.outer));
  assert.equal(by_hand.status, 84, by_hand.stderr);
  await stop(one);
});

test("a backup command that hangs, does nothing, or leaves something running", async (t) => {
  const { start, stop, contenders, store } = data_scene(t);
  const lying = (): string[] => readdirSync(join(store, "app"));
  const whole = (): string[] => lying().filter((id) => existsSync(join(store, "app", id, "manifest.json")));
  const nothing =
    "the backup command ended well, but has put nothing into LEASEHOLD_BACKUP_TARGET; see what it did";
  const left = 'setsid sleep 6012 & echo x > "$LEASEHOLD_BACKUP_TARGET/x"';
  const table: [string, RegExp, number][] = [
    ["exec sleep 6011", /the backup failed: it was killed: it took longer than 2 s/, 0],
    ["true", new RegExp(`the backup failed: ${nothing}`), 0],
    [left, /backed up: .*, 2 B in 2 entries/, 1],
  ];
  for (const [command, told, kept] of table) {
    const flags = ["--backup-schedule", "1s", "--backup-timeout", "2s", "--backup-keep", "1"];
    const one = start("echo x > file; exec sleep 600", ...flags, "--backup-with", command);
    await contenders.holder();
    const times = (): number => one.lines().filter(({ message }) => told.test(message)).length;
    await until(
      () => times() >= 2,
      command,
      () => one.story(),
    );
    await stop(one);
    assert.equal(whole().length, kept, command);
    assert.ok(lying().length <= kept + 1, "what was killed goes with the next one");
    await until(() => sleepers(6011) + sleepers(6012) === 0, command);
  }
});

test("a restore command that leaves something running, or does nothing; a check that says no: the app isn't started on it", async (t) => {
  const { start, stop, life, contenders, data } = data_scene(t);
  await life("first");
  const table: [string[], RegExp][] = [
    [
      ["--restore-with", "true"],
      /the restore command ended well, but has put nothing into LEASEHOLD_RESTORE_TARGET/,
    ],
    [
      ["--restore-check", "echo too old; exit 1"],
      /the check command ".*" ended with code 1; it said: too old/,
    ],
  ];
  for (const [more, told] of table) {
    const refused = start("exec sleep 600", "--restore", "now", ...more);
    assert.equal(await refused.exited(), 82, refused.story());
    assert.match(refused.story(), told);
    assert.equal(read(join(data, "who")), "first");
  }
  const daemon = 'setsid sleep 6013 & echo second > "$LEASEHOLD_RESTORE_TARGET/who"';
  const one = start("exec sleep 600", "--restore", "now", "--restore-with", daemon);
  await contenders.holder();
  assert.equal(read(join(data, "who")), "second");
  assert.equal(sleepers(6013), 0, "it has died with the restore");
  await stop(one);
});

test("something is mounted in the data directory: no restore begins", async (t) => {
  if (!requires(t, "root")) return;
  const one = data_scene(t);
  const id = await one.life("first");
  const wal = join(one.data, "wal");
  mkdirSync(wal);
  sh('mount -t tmpfs wal "$1"', wal);
  writeFileSync(join(wal, "precious"), "");
  const refused = one.command("restore", ...run_flags(one), "--backup", id);
  assert.equal(refused.status, 82, refused.stderr);
  assert.match(
    refused.stderr,
    /something is mounted in .*db.*, at .*wal.*, which a restore can't put aside; unmount it/,
  );
  assert.match(
    one.command("restore", ...run_flags(one), "--backup", id, "--dry-run").stdout,
    /^refuse: something is mounted/,
  );
  assert.ok(existsSync(join(wal, "precious")));
  assert.equal(read(join(one.data, "who")), "first");
});

test("data that is another user's: told, and it is as it was", async (t) => {
  if (!requires(t, "root", "setpriv")) return;
  const one = data_scene(t);
  const id = await one.life("first");
  const { volume, store, data } = one;
  sh('chown -R 65534:65534 "$1" "$2"', volume, store);
  chownSync(data, 0, 0);
  const [program = "", ...args] = unprivileged();
  const options = { encoding: "utf8", timeout: 30_000, env: { PATH: process.env.PATH } } as const;
  const restore = [...args, guard, "restore", ...run_flags(one), "--backup", id];
  const refused = spawnSync(program, restore, options);
  assert.equal(refused.status, 82, refused.stderr);
  assert.match(
    refused.stderr,
    /the data could not be restored: .*db.* is another user's, or can't be written to; give it to user 65534/,
  );
  assert.equal(read(join(data, "who")), "first");
  chownSync(data, 65534, 65534);
  const now = spawnSync(program, restore, options);
  assert.equal(now.status, 0, now.stderr);
});
