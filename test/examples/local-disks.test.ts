// The examples of restore and backup, run as they lie in examples/ with the real servers: two nodes with a disk each, of which the
// holder is destroyed with its disk. The other one restores and serves what was written before the backup; what was lost was told.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { numbers, quiet_port, run } from "../support/databases.ts";
import { local_disks, type LocalDisks, type Server } from "../support/local-disks.ts";
import { local_postgres } from "../support/local-postgres.ts";
import { local_redis } from "../support/local-redis.ts";
import { type Requirement, requires } from "../support/requires.ts";

async function mariadb({ root, etc }: LocalDisks): Promise<Server> {
  const port = await quiet_port();
  const socket = join(root, "socket");
  writeFileSync(join(etc, "my.cnf"), `[client]\nsocket = ${socket}\n[mariadb-backup]\nsocket = ${socket}\n`);
  const sql = (text: string, ...who: string[]): string =>
    run("root", ["mariadb", `--socket=${socket}`, ...who, "-BNe", text]);
  const own = `--no-defaults --user=daemon --innodb-log-file-size=8M --datadir`;
  const server = (data: string): string =>
    `if ! [ -d ${data}/mysql ]; then install -d -o daemon ${data} && mariadb-install-db ${own}=${data} >/dev/null; fi &&
     exec mariadbd ${own}=${data} --socket=${socket} --port=${port} --bind-address=127.0.0.1`;
  return {
    app: (data) => ["sh", "-c", server(data)],
    args: ["--ready", `mysql://127.0.0.1:${port}`],
    env: { MYSQL_HOME: etc },
    begin() {
      sql("create database shop; create table shop.written (number bigint primary key)");
      // A dump brings it along, and who loads it must not be kept out by it.
      sql("grant select on shop.* to app@localhost identified by 'secret'");
    },
    insert: (number) => void sql(`insert into shop.written values (${number})`),
    stored: () =>
      numbers(sql("select number from shop.written order by number", "--user=app", "--password=secret")),
  };
}

async function plain({ data }: LocalDisks): Promise<Server> {
  const holder = (): string => ["a", "b"].map(data).find(existsSync) ?? "";
  return {
    app: (at) => ["sh", "-c", `mkdir -p ${at} && touch ${at}/index && exec sleep 600`],
    args: ["--ready", `exec:test -e $(echo ${data("?")}/index)`],
    insert: (number) => mkdirSync(join(holder(), "numbers", `${number}`), { recursive: true }),
    stored: () =>
      readdirSync(join(holder(), "numbers"))
        .map(Number)
        .toSorted((a, b) => a - b),
  };
}

type Example = {
  folder: string;
  file: string;
  needs: readonly Requirement[];
  serve: (disks: LocalDisks) => Promise<Server>;
};

const all: readonly Example[] = [
  {
    folder: "mariadb",
    file: "leasehold.yaml",
    needs: ["mariadbd", "mariadb-backup", "root"],
    serve: mariadb,
  },
  { folder: "mariadb", file: "dump.yaml", needs: ["mariadbd", "mariadb-dump", "root"], serve: mariadb },
  {
    folder: "postgres",
    file: "leasehold.yaml",
    needs: ["postgres", "setpriv", "root"],
    serve: local_postgres,
  },
  { folder: "postgres", file: "dump.yaml", needs: ["postgres", "setpriv", "root"], serve: local_postgres },
  {
    folder: "restic",
    file: "leasehold.yaml",
    needs: ["redis-server", "redis-cli", "restic"],
    serve: local_redis,
  },
  { folder: "directory", file: "leasehold.yaml", needs: [], serve: plain },
];

for (const { folder, file, needs, serve } of all)
  test(`examples/${folder}/${file}: the holder is destroyed with its disk; the other one has what was backed up`, async (t: TestContext) => {
    if (!requires(t, ...needs)) return;
    const disks = await local_disks(t, folder, file);
    const server = await serve(disks);
    const with_store = folder !== "restic";

    const a = await disks.start("a", {
      ...server,
      // As its README says: a command can't tell "there is none yet" from "it is lost".
      args: [...(server.args ?? []), ...(with_store ? [] : ["--restore", "never"])],
    });
    server.begin?.();
    for (const number of [1, 2, 3]) server.insert(number);
    await disks.back_up(a);
    server.insert(4);
    const { status_ms, metric_s } = await disks.at_risk();
    assert.ok(status_ms > 0 && metric_s >= status_ms / 1000, `${status_ms} ms, ${metric_s} s`);
    await disks.destroy(a);

    const would = disks.command("b", "restore", "--dry-run");
    assert.equal(would.status, 0, would.stderr);
    assert.match(would.stdout, /^restore: ".*\/b\/data" is absent/);
    const drill = disks.command("b", "restore", "drill", "--to", join(disks.root, "drill"));
    assert.equal(drill.status, 0, drill.stderr);
    assert.match(drill.stdout, /can be restored/);
    assert.ok(!existsSync(join(disks.root, "drill")));

    const b = await disks.start("b", server);
    assert.match(b.story(), /is absent: restoring |restored the data/, b.story());
    assert.deepEqual(server.stored(), [1, 2, 3], b.story());
    server.insert(5);
    assert.deepEqual(server.stored(), [1, 2, 3, 5]);
    await disks.stop(b);
  });

test("examples/postgres/leasehold.yaml: back to a moment before a mistake, by hand; a moment that can't be reached changes nothing", async (t) => {
  if (!requires(t, "postgres", "setpriv", "root")) return;
  const disks = await local_disks(t, "postgres", "leasehold.yaml");
  // Segments take their time, so that it recovers for a while: who is ready then takes writes.
  const script = join(disks.etc, "wal.sh");
  writeFileSync(script, readFileSync(script, "utf8").replace("\nfetch)\n", "\nfetch)\n    sleep 0.2\n"));
  const server = await local_postgres(disks);
  const a = await disks.start("a", server);
  const now = (): string => new Date().toISOString();
  server.begin?.();
  server.insert(1);
  const too_early = now();
  await disks.back_up(a);
  server.insert(2);
  await sleep(1100);
  const before = now();
  await sleep(20);
  server.sql("delete from written");
  server.sql("select pg_switch_wal()");
  await disks.stop(a);

  const by_hand = (...more: string[]) => disks.command("a", "restore", ...more);
  const refused: [string[], number, RegExp][] = [
    [
      ["--target-time", "yesterday"],
      78,
      /--target-time is "yesterday", which is no point in time; write e\.g\./,
    ],
    [["--target-time", "2126-01-01T00:00:00Z"], 78, /which is in the future/],
    [
      ["--target-time", too_early],
      82,
      /each backup was complete only after .*, and from there is no way back/,
    ],
    // The log ends before it.
    [["--target-time", now()], 82, /recovery ended before configured recovery target was reached/],
  ];
  for (const [words, status, why] of refused) {
    const one = by_hand(...words);
    assert.deepEqual([one.status, why.test(one.stderr)], [status, true], one.stderr);
  }
  const drill = by_hand("drill", "--target-time", before, "--to", join(disks.root, "drill"));
  assert.equal(drill.status, 0, drill.stderr);
  const restored = by_hand("--target-time", before);
  assert.equal(restored.status, 0, restored.stderr);
  const again = await disks.start("a", server);
  assert.deepEqual(server.stored(), [1, 2], again.story());
  assert.match(server.sql("show recovery_target_time"), /\d/);
  server.insert(3);

  // Later restores don't go back there again: they follow the timeline that began then.
  server.sql("select pg_switch_wal()");
  await disks.stop(again);
  assert.equal(by_hand().status, 0);
  const last = await disks.start("a", server);
  assert.deepEqual(server.stored(), [1, 2, 3], last.story());
  await disks.stop(last);
});

test("examples/restic/restic.sh: a repository that can't be read is not one without a backup (all of it in restic.long.ts)", async (t) => {
  if (!requires(t, "redis-server", "redis-cli", "restic")) return;
  const disks = await local_disks(t, "restic", "leasehold.yaml");
  await local_redis(disks);
  rmSync(join(disks.root, "repository"), { recursive: true });
  const script = join(disks.etc, "restic.sh");
  const { status, stderr } = spawnSync("sh", [script, "restore"], { encoding: "utf8" });
  assert.notEqual(status, 0);
  assert.match(stderr, /repository/);
  assert.doesNotMatch(stderr, /there is no backup/);
});
