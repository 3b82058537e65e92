// leasehold run with a data directory: restored before the app starts, backed up beside it, and by hand. The lock is on the volume
// itself, so that tokens and holders are remembered; the store is another directory.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Contender, type Contenders, until } from "../support/contenders.ts";
import { type DataScene, data_scene, ttl_ms } from "../support/data-scene.ts";
import { descendants, is_alive } from "../support/processes.ts";

const read = (path: string): string => readFileSync(path, "utf8").trim();
const store_flags = ({ store }: DataScene): string[] => ["--backup-store", store, "--backup-name", "app"];
const run_flags = (one: DataScene): string[] => [
  ...["--lock", `file://${one.volume}`, "--ttl", `${ttl_ms}ms`, "--drain", "200ms", "--data", one.data],
  ...store_flags(one),
];

test("the first boot starts empty; a backup beside the app; the data is lost, and comes back before the app starts", async (t) => {
  const one = data_scene(t);
  const { data, life, start, stop, contenders, command, work } = one;
  const id = await life("first");
  const listed = JSON.parse(command("backups", "list", ...store_flags(one), "--format", "json").stdout) as {
    manifest: { id: string; token: string; volume_id: string; entries: number };
  }[];
  assert.deepEqual([listed.length, listed[0]?.manifest.id, listed[0]?.manifest.token], [1, id, "1"]);
  assert.match(listed[0]?.manifest.volume_id ?? "", /^[\da-f-]{36}$/);
  const kept = start("exec sleep 600");
  await contenders.holder();
  assert.match(kept.story(), /data: ".*\/db" holds data, and --restore is empty/);
  await stop(kept);

  rmSync(data, { recursive: true });
  const again = start("cp who seen; exec sleep 600", "--restore-keep", "100ms");
  await contenders.holder();
  assert.match(again.story(), new RegExp(`is absent: restoring ${id} \\(of "a", token 1\\)`));
  await until(
    () => existsSync(join(data, "seen")),
    "it",
    () => again.story(),
  );
  assert.equal(read(join(data, "seen")), "first");
  await stop(again);
  assert.equal((JSON.parse(read(join(work, "restored.json"))) as { backup: string }).backup, id);
});

test("no backup, and somebody has held the lock before: 82, unless it is said that the app may start with nothing", async (t) => {
  const { start, stop, contenders, data } = data_scene(t);
  await stop(await started(start("exec sleep 600"), contenders));
  rmSync(data, { recursive: true, force: true });
  const refused = start("exec sleep 600");
  assert.equal(await refused.exited(), 82, refused.story());
  assert.match(
    refused.story(),
    /the data could not be restored: ".*" is absent, and there is no backup; somebody has held the lock before/,
  );
  assert.ok(!existsSync(data));
  await stop(await started(start("exec sleep 600", "--restore-without", "start-empty"), contenders));
});

test("a damaged newest backup: 82 and nothing is touched, or the one before it where that is allowed", async (t) => {
  const one = data_scene(t);
  const { life, start, stop, contenders, data, store, command } = one;
  const older = await life("older");
  const newest = await life("newest");
  const path = join(store, "app", newest, "data.tar.zst");
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
  writeFileSync(path, bytes);
  rmSync(data, { recursive: true });
  const refused = start("exec sleep 600");
  assert.equal(await refused.exited(), 82, refused.story());
  assert.match(
    refused.story(),
    new RegExp(`the backup ${newest} can't be used: it .*; name another one by leasehold restore`),
  );
  assert.ok(!existsSync(data));
  const verified = command("backups", "verify", ...store_flags(one));
  assert.equal(verified.status, 82, verified.stderr);
  assert.match(verified.stdout, new RegExp(`${newest} it .*\n${older} ok\n`));
  await stop(await started(start("exec sleep 600", "--restore-fallback", "1"), contenders));
  assert.equal(read(join(data, "who")), "older");
});

test("a store that isn't mounted: 82 where a restore is due, and no matter where the data is there", async (t) => {
  const { life, start, stop, contenders, data, store } = data_scene(t);
  await life("first");
  renameSync(store, `${store}.away`);
  mkdirSync(store);
  await stop(await started(start("exec sleep 600"), contenders));
  rmSync(data, { recursive: true });
  const refused = start("exec sleep 600");
  assert.equal(await refused.exited(), 82, refused.story());
  assert.match(refused.story(), /the backup store can't be used: the volume ".*store" /);
});

const hanging = [
  "--restore",
  "now",
  "--restore-with",
  'echo half > "$LEASEHOLD_RESTORE_TARGET/who"; exec sleep 600',
];

test("a restore that is under way dies with a stop, with its time, with the volume, and with leasehold; the data is as it was", async (t) => {
  const { life, start, data, volume, work } = data_scene(t);
  await life("first");
  const ends: Readonly<Record<string, [string[], (one: Contender) => void, number | null | undefined]>> = {
    stop: [[], (one) => one.signal("SIGTERM"), 143],
    time: [["--restore-timeout", "3s"], () => {}, 82],
    guard: [[], (one) => one.signal("SIGKILL"), null],
    // Last: the volume is another one afterwards. No app was started, so it contends again.
    loss: [[], () => rmSync(join(volume, ".leasehold/volume.json")), undefined],
  };
  for (const [how, [more, end, code]] of Object.entries(ends)) {
    rmSync(join(work, "staging"), { recursive: true, force: true });
    const one = start("exec sleep 600", ...hanging, ...more);
    await until(
      () => existsSync(join(work, "staging/who")),
      "it",
      () => one.story(),
    );
    const tree = descendants(one.outer).filter(({ comm }) => comm === "sleep");
    end(one);
    // The probe finds it, or the volume lease's next beat.
    if (code === undefined) await one.line(/the (volume|lease) is lost/);
    else assert.equal(await one.exited(), code, `${how}: ${one.story()}`);
    await until(
      () => tree.every((process) => !is_alive(process)),
      "it",
      () => one.story(),
    );
    assert.equal(read(join(data, "who")), "first", how);
    assert.equal((JSON.parse(read(join(work, "journal.json"))) as { step: string }).step, "staging");
  }
});

test("by hand: what would be done, into a directory, as a drill, and under the lock; what was there is kept, then swept", async (t) => {
  const one = data_scene(t);
  const { life, start, stop, contenders, data, command, work, volume } = one;
  const older = await life("older");
  await life("newer");
  const flags = run_flags(one);
  const dry = command("restore", ...flags, "--backup", older, "--dry-run");
  assert.equal(dry.status, 0, dry.stderr);
  assert.match(
    dry.stdout,
    new RegExp(
      `^restore: ".*" holds data: restoring ${older}.*\ncandidate .* in 2 entries\nwhat is there is renamed, and kept in `,
    ),
  );
  const nothing = command("restore", ...flags, "--dry-run");
  assert.match(nothing.stdout, /^nothing: ".*" holds data, and --restore is empty\n$/);

  const to = join(volume, "../to");
  const taken = command("restore", ...flags, "--backup", older, "--to", to);
  assert.equal(taken.status, 0, taken.stderr);
  assert.equal(read(join(to, "who")), "older");
  assert.equal(command("restore", ...flags, "--to", to).status, 82, "it isn't empty");

  const drill = join(volume, "../drill");
  const drilled = command(
    "restore",
    "drill",
    ...flags,
    "--to",
    drill,
    "--restore-check",
    'test "$(cat "$LEASEHOLD_RESTORE_TARGET/who")" = newer',
  );
  assert.equal(drilled.status, 0, drilled.stderr);
  assert.match(drilled.stdout, /can be restored: 6 B in /);
  const failed = command(
    "restore",
    "drill",
    ...flags,
    "--to",
    drill,
    "--restore-check",
    "echo no database; exit 3",
  );
  assert.equal(failed.status, 82);
  assert.match(failed.stderr, /the check command ".*" ended with code 3; it said: no database\n$/);
  assert.ok(!existsSync(drill));

  const holder = await started(start("exec sleep 600"), contenders);
  assert.equal(command("restore", ...flags, "--backup", older).status, 75, "the app runs");
  await stop(holder);
  const restored = command("restore", ...flags, "--backup", older);
  assert.equal(restored.status, 0, restored.stderr);
  assert.equal(read(join(data, "who")), "older");
  const [attempt = ""] = readdirSync(join(work, "previous"));
  assert.equal(read(join(work, "previous", attempt, "who")), "newer");
  const last = await started(start("exec sleep 600", "--restore-keep", "300ms"), contenders);
  await last.line(/what was kept from before is removed/);
  assert.ok(!existsSync(join(work, "previous")));
  await stop(last);
});

test("a backup of another volume is refused with what to do, and taken when it is named", async (t) => {
  const [one, other] = [data_scene(t), data_scene(t)];
  const id = await one.life("first");
  const flags = run_flags({ ...other, store: one.store });
  const refused = other.command("restore", ...flags);
  assert.equal(refused.status, 82, refused.stderr);
  const why = new RegExp(
    `the newest backup ${id} .* is of the volume .*, and .* lies on .*: if it is this app's, name it`,
  );
  assert.match(refused.stderr, why);
  assert.match(other.command("restore", ...flags, "--dry-run").stdout, /^refuse: /);
  assert.ok(!existsSync(other.data));
  const named = other.command("restore", ...flags, "--backup", id);
  assert.equal(named.status, 0, named.stderr);
  assert.equal(read(join(other.data, "who")), "first");
});

async function started(one: Contender, contenders: Contenders): Promise<Contender> {
  assert.equal(await contenders.holder(), one, one.story());
  return one;
}
