// `--profile` with real servers: their data is recognised, stale lock files go, dangerous settings are told, they stop as they should. Of
// servers that can't be had here, the profile's check meets a stand-in.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse_ready } from "../../src/config/ready.ts";
import { profiles } from "../../src/config/profiles/all.ts";
import type { Profile } from "../../src/config/profiles/profile.ts";
import { check_ready } from "../../src/ready/check.ts";
import { plain_time } from "../../src/shell/time.ts";
import { bson, mongodb_answer, mysql_packet, stand_in } from "../ready/stand-in.ts";
import { Contenders } from "../support/contenders.ts";
import { as_user, directory, mariadb, postgres, quiet_port, redis, run } from "../support/databases.ts";
import { requires } from "../support/requires.ts";

const lock = "memory:";

test("PostgreSQL: an empty postmaster.pid keeps it from starting; under its profile it goes", async (t) => {
  if (!requires(t, ...postgres.requirements)) return;
  const cast = new Contenders(t);
  const { data, command } = await postgres.create(cast.folder);
  const port = await quiet_port();
  const app = [...as_user("postgres"), ...command, "-c", "listen_addresses=127.0.0.1", "-c", `port=${port}`];
  const pid_file = join(data, "postmaster.pid");
  const prepared = (text: string) => {
    writeFileSync(pid_file, text);
    run("root", ["chown", "postgres:postgres", pid_file]);
  };
  const ready = ["--ready", `postgres://127.0.0.1:${port}`];

  prepared("");
  const plain = cast.start({ lock, args: ready, app });
  assert.equal(await plain.exited(), 1, "PostgreSQL refuses it");

  const one = cast.start({
    lock,
    args: ["--profile", "postgres", ...ready],
    app: [...app, "-c", "fsync=off"],
  });
  await one.line(/^the app is ready$/);
  assert.ok(existsSync(pid_file), "its own");
  one.signal("SIGTERM");
  assert.equal(await one.exited(), 0, "the fast shutdown");
  const said = one.lines().map(({ message }) => message);
  assert.ok(
    said.some((line) => /^".*\/data" holds PostgreSQL 15$/.test(line)),
    one.story(),
  );
  assert.ok(
    said.some((line) => /^removed the stale ".*postmaster\.pid": it names no process$/.test(line)),
    one.story(),
  );
  assert.ok(
    said.some((line) => line.startsWith("fsync off (in the command): ")),
    one.story(),
  );

  // A server that somebody started by hand: its file stays, and the second one refuses.
  const other = spawn("setpriv", [...as_user("postgres").slice(1), "sleep", "1000"]);
  t.after(() => void other.kill("SIGKILL"));
  prepared(`${other.pid ?? 0}\n${data}\n`);
  const second = cast.start({ lock, args: ["--profile", "postgres", ...ready], app });
  assert.equal(await second.exited(), 1, second.story());
  await second.line(
    new RegExp(`names process ${other.pid}, which runs here and isn't leasehold's: it is left`),
  );

  const older = { env: { PG_MAJOR: "14" }, args: ["--profile", "postgres", ...ready] };
  const image = cast.start({ lock, ...older, app });
  assert.equal(await image.exited(), 74, image.story());
  await image.line(/holds data of a newer PostgreSQL \("15"\) than this one \(PG_MAJOR is "14"\)/);

  const wrong = cast.start({ lock, args: ["--profile", "mysql", "--data", data], app });
  assert.equal(await wrong.exited(), 74, wrong.story());
  await wrong.line(/^the command runs postgres, and the profile is mysql/);
  await wrong.line(
    /^the data directory failed its checks: ".*" holds data of PostgreSQL, not of MySQL; give the right/,
  );
});

test("Redis and MariaDB under their profiles: recognised, warned of, stopped", async (t) => {
  if (!requires(t, ...redis.requirements, "mariadbd")) return;
  const cast = new Contenders(t);
  const port = String(await quiet_port());
  const data = join(cast.folder, "redis");
  directory(data, "redis");
  const server = [
    "redis-server",
    "--bind",
    "127.0.0.1",
    "--port",
    port,
    "--dir",
    data,
    "--appendonly",
    "yes",
    "--appendfsync",
    "no",
  ];
  const args = ["--profile", "redis", "--ready", `redis://127.0.0.1:${port}`];
  const one = cast.start({ lock, args, app: [...as_user("redis"), ...server] });
  await one.line(/is empty: Redis initialises it$/);
  await one.line(/^appendfsync no \(in the command\)/);
  await one.line(/^the app is ready$/);
  one.signal("SIGTERM");
  assert.equal(await one.exited(), 0, one.story());
  const mysql_port = await quiet_port();
  const mariadbd = mariadb(join(cast.folder, "mysql"), mysql_port);
  const two = cast.start({
    lock,
    args: ["--profile", "mariadb", "--ready", `mysql://127.0.0.1:${mysql_port}`],
    app: [...mariadbd, "--innodb-flush-log-at-trx-commit=2"],
  });
  await two.line(/^the app is ready$/);
  await two.line(/^innodb-flush-log-at-trx-commit 2 \(in the command\)/);
  two.signal("SIGTERM");
  assert.equal(await two.exited(), 0, two.story());
});

const http = (line: string): Buffer => Buffer.from(`HTTP/1.1 ${line}\r\n\r\n`);
for (const [name, answers] of [
  ["mysql", { greeting: mysql_packet(0, Buffer.from("\x0a8.4.3\0\x08\0\0\0salt4567\0", "latin1")) }],
  ["mongodb", { answer: mongodb_answer([bson.bool("isWritablePrimary", true), bson.double("ok", 1)]) }],
  ["rethinkdb", { answer: http("200 OK") }],
  ["elasticsearch", { answer: http("401 Unauthorized") }],
  ["eventstore", { answer: http("204 No Content") }],
] as const) {
  test(`${name}: its profile's check, against a stand-in that speaks the protocol`, async (t) => {
    const profile: Profile = profiles[name];
    const { port, received } = await stand_in(t, answers);
    const check = parse_ready(profile.options.ready ?? "", name);
    assert.ok(check && check.how !== "exec");
    const endpoint = { ...check.endpoint, port };
    const verdict = await check_ready(
      { ...check, endpoint },
      { limit_ms: 20_000, time: plain_time(), job: {} },
    );
    assert.equal(verdict, null);
    if (name === "eventstore") assert.match(received(), /^GET \/health\/live HTTP/);
  });
}
