// Real databases, backed up beside their server by what they have for that, and restored: what was stored at the backup is there
// again. Two nodes with nothing in common but the lock and the store.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { type Contender, Contenders, until } from "../support/contenders.ts";
import { as_user, postgres, postgres_bin, quiet_port } from "../support/databases.ts";
import { guard } from "../support/hand.ts";
import { requires } from "../support/requires.ts";
import { label } from "../support/volume.ts";

/** A lock that is no server's, and a store. */
function scene(t: TestContext, ttl_ms: number) {
  const folder = mkdtempSync(join(tmpdir(), "leasehold-database-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  spawnSync("chmod", ["755", folder]);
  const [lock, store] = [join(folder, "lock"), join(folder, "store")];
  for (const path of [lock, store]) {
    mkdirSync(path);
    label(path, ttl_ms);
  }
  const contenders = new Contenders(t);
  const start = (node: string, data: string, app: readonly string[], ...more: string[]): Contender => {
    const own = ["--ttl", `${ttl_ms}ms`, "--drain", "200ms", "--data", data];
    const args = [...own, "--backup-store", store, "--backup-name", "app", ...more];
    return contenders.start({ lock: `file://${lock}`, node, args, app });
  };
  const back_up = (one: Contender): void => {
    const { status, stderr } = spawnSync(guard, ["backup", "now", "--pid", String(one.outer)], {
      encoding: "utf8",
    });
    assert.equal(status, 0, `${stderr}${one.story()}`);
  };
  const stop = async (one: Contender): Promise<void> => {
    one.signal("SIGTERM");
    await one.exited();
  };
  return { folder, contenders, start, back_up, stop };
}

test("PostgreSQL: pg_basebackup beside the server; on a new disk what was committed before is there, and sound", async (t) => {
  if (!requires(t, ...postgres.requirements)) return;
  const { folder, start, back_up, stop } = scene(t, 10_000);
  const { data, command, client, ready, stored, check } = await postgres.create(folder);
  const app = [...as_user("postgres"), ...command];
  // leasehold runs as root here, and the server doesn't.
  const base = `${postgres_bin}/pg_basebackup -c fast -X stream --no-sync ${client.join(" ")} -D "$LEASEHOLD_BACKUP_TARGET"`;
  const more = [
    "--stop-signal",
    "SIGINT",
    "--backup-with",
    `${base} && chown -R postgres: "$LEASEHOLD_BACKUP_TARGET"`,
  ];
  const insert = (number: number): void => {
    const words = [...client, "-q", "-c", `insert into written values (${number})`, "postgres"];
    assert.equal(spawnSync(`${postgres_bin}/psql`, words).status, 0);
  };
  const one = start("a", data, app, ...more);
  await until(ready, "PostgreSQL", () => one.story());
  for (const number of [1, 2, 3]) insert(number);
  back_up(one);
  insert(4);
  await stop(one);
  rmSync(data, { recursive: true });
  rmSync(join(folder, ".data.leasehold"), { recursive: true });
  const two = start(
    "a",
    data,
    app,
    ...more,
    "--restore-check",
    'test -s "$LEASEHOLD_RESTORE_TARGET/PG_VERSION"',
  );
  await until(ready, "PostgreSQL", () => two.story());
  assert.deepEqual(stored(), [1, 2, 3], "what came after the backup is lost, and nothing else");
  await stop(two);
  check();
});

test("Redis on two nodes with a disk each: whoever takes over has the last backup, also on the disk of an earlier turn", async (t) => {
  if (!requires(t, "redis-server", "redis-cli")) return;
  const { folder, contenders, start, back_up, stop } = scene(t, 3000);
  const port = await quiet_port();
  const cli = (...words: string[]): string =>
    spawnSync("redis-cli", ["-p", `${port}`, ...words], { encoding: "utf8" }).stdout.trim();
  const node = (name: string): Contender => {
    const data = join(folder, name, "data");
    mkdirSync(join(folder, name), { recursive: true });
    // As images' entry points do.
    const server = `mkdir -p ${data} && exec redis-server --port ${port} --bind 127.0.0.1 --dir ${data} --appendonly no --save 3600 1`;
    const dump = `redis-cli -p ${port} --rdb "$LEASEHOLD_BACKUP_TARGET/dump.rdb"`;
    return start(name, data, ["sh", "-c", server], "--restore", "behind", "--backup-with", dump);
  };
  const up = (): Promise<boolean> =>
    until(
      () => cli("ping") === "PONG",
      "Redis",
      () => contenders.story(),
    );

  const a = node("a");
  await up();
  cli("set", "turn", "a");
  back_up(a);
  await stop(a); // it writes its own dump.rdb, and keeps its disk
  const b = node("b");
  await up();
  assert.equal(cli("get", "turn"), "a");
  cli("set", "turn", "b");
  back_up(b);
  cli("set", "lost", "yes");
  b.vanish();
  await b.exit;
  rmSync(join(folder, "b"), { recursive: true });

  const again = node("a");
  await up();
  assert.deepEqual([cli("get", "turn"), cli("get", "lost")], ["b", ""]);
  assert.match(
    again.story(),
    /is of an earlier tenure than the newest backup: restoring .* \(of "b", token 2\)/,
  );
  assert.equal(readdirSync(join(folder, "a/.data.leasehold/previous")).length, 1, "its own data is kept");
  await stop(again);
});
