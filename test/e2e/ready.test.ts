// Readiness of real servers under `leasehold run`: what /readyz and the log say while they start, and exit code 85.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { Contenders, until } from "../support/contenders.ts";
import { as_user, mariadb, postgres, quiet_port, redis, run } from "../support/databases.ts";
import { requires } from "../support/requires.ts";

type Answer = { code: number; body: { ready: boolean; because: string } };

/** One contender, whose app is asked in this way; and what /readyz says. */
async function asked(t: TestContext, ready: string, app: readonly string[], args: readonly string[] = []) {
  const cast = new Contenders(t);
  const listen = await quiet_port();
  const one = cast.start({
    lock: "memory:",
    args: ["--listen", String(listen), "--ready", ready, ...args],
    app,
    env: { FLAG: join(cast.folder, "flag") },
  });
  const readyz = async (): Promise<Answer | undefined> => {
    try {
      const response = await fetch(`http://127.0.0.1:${listen}/readyz`);
      return { code: response.status, body: (await response.json()) as Answer["body"] };
    } catch {
      return undefined; // it doesn't listen yet
    }
  };
  const says = (code: number) =>
    until(
      async () => (await readyz())?.code === code,
      `${code} of /readyz`,
      () => cast.story(),
    );
  const status = async () =>
    (await (await fetch(`http://127.0.0.1:${listen}/status`)).json()) as {
      app: { unready: string | null; ready_after_ms: number | null };
    };
  return { cast, one, says, status };
}

test("PostgreSQL: not ready as long as it recovers, ready when it serves", async (t) => {
  if (!requires(t, ...postgres.requirements)) return;
  const cast = new Contenders(t);
  const store = await postgres.create(cast.folder);
  const port = await quiet_port();
  const server = [
    ...as_user("postgres"),
    ...store.command,
    "-c",
    "listen_addresses=127.0.0.1",
    "-c",
    `port=${port}`,
  ];
  // A standby that serves nobody says so as one that recovers does.
  writeFileSync(join(store.data, "standby.signal"), "");
  const standby = [...server, "-c", "hot_standby=off", "-c", "restore_command=false"];
  const check = `postgres://127.0.0.1:${port}`;
  const first = await asked(t, check, standby, ["--ready-timeout", "3s", "--stop-signal", "SIGINT"]);
  await first.says(503);
  assert.equal(await first.one.exited(), 85, first.cast.story());
  const { message } = await first.one.line(/not ready within/);
  assert.match(message, /^the app was not ready within 3 s: the database system is .*; stopping it$/);

  spawnSync("rm", [join(store.data, "standby.signal")]);
  const { one, says, status, cast: second } = await asked(t, check, server, ["--stop-signal", "SIGINT"]);
  await says(200);
  const { app } = await status();
  assert.equal(app.unready, null);
  assert.ok((app.ready_after_ms ?? 0) > 0);
  t.diagnostic(`ready after ${Math.round(app.ready_after_ms ?? 0)} ms`);
  one.signal("SIGTERM");
  assert.equal(await one.exited(), 0, second.story());
  const messages = one.lines().map(({ message: sentence }) => sentence);
  assert.ok(
    messages.indexOf("the app is ready") > messages.findIndex((said) => said.startsWith("the app runs")),
  );
  // Nobody logs in, and nobody is noted as cut off. These three are its words for a server that isn't ready (SQLSTATE 57P03).
  const noise = one.lines().filter(({ message: said }) => /FATAL|reset by peer|unexpected EOF/.test(said));
  const unready =
    /FATAL: {2}the database system is (starting up|shutting down|not yet accepting connections)$/;
  assert.deepEqual(
    noise.filter(({ message: said }) => !unready.test(said)),
    [],
  );
});

test("Redis: not ready as long as it loads its data", async (t) => {
  if (!requires(t, ...redis.requirements)) return;
  const cast = new Contenders(t);
  const store = await redis.create(cast.folder);
  const port = String(await quiet_port());
  const base = ["redis-server", "--bind", "127.0.0.1", "--port", port, "--dir", store.data];
  const filling = [...as_user("redis"), ...base, "--save", "", "--daemonize", "yes"];
  run("root", filling);
  const cli = ["redis-cli", "-p", port];
  // Its exit code says nothing.
  const pinged = ["sh", "-c", 'redis-cli -p "$0" ping 2>&1 || :', port];
  await until(() => run("root", pinged) === "PONG\n", "PONG");
  run("root", [...cli, "eval", "for i=1,60 do redis.call('set', 'k'..i, string.rep('x', 2048)) end", "0"]);
  run("root", [...cli, "save"]);
  run("root", [...cli, "shutdown", "nosave"]);
  // 50 ms for each key, and answers in between.
  const slow = ["--key-load-delay", "50000", "--loading-process-events-interval-bytes", "1024"];
  const {
    one,
    says,
    status,
    cast: second,
  } = await asked(t, `redis://127.0.0.1:${port}`, [...as_user("redis"), ...base, ...slow]);
  await until(
    async () => (await status().catch(() => null))?.app.unready?.startsWith("LOADING"),
    "LOADING",
    () => second.story(),
  );
  await says(200);
  one.signal("SIGTERM");
  assert.equal(await one.exited(), 0, second.story());
});

test("MariaDB: ready when it greets, and its log has no client that was refused or failed", async (t) => {
  if (!requires(t, "mariadbd", "setpriv", "root")) return;
  const cast = new Contenders(t);
  const data = join(cast.folder, "data");
  const port = await quiet_port();
  const log = join(data, "error.log");
  const server = [...mariadb(data, port), `--log-error=${log}`];
  const {
    one,
    says,
    cast: second,
  } = await asked(t, `mysql://127.0.0.1:${port}`, server, ["--ready-every", "100ms"]);
  await says(200);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  one.signal("SIGTERM");
  assert.equal(await one.exited(), 0, second.story());
  assert.doesNotMatch(readFileSync(log, "utf8"), /Access denied|is blocked|Got an error|Got timeout/);
});

test("never ready: stopped, 85, and the reason is the last line", async (t) => {
  const port = await quiet_port();
  const { one, says, cast } = await asked(
    t,
    `tcp://127.0.0.1:${port}`,
    ["sleep", "1000"],
    ["--ready-timeout", "1s"],
  );
  await says(503);
  assert.equal(await one.exited(), 85, cast.story());
  assert.equal(one.lines().at(-1)?.message, "the app was not ready within 1 s: ECONNREFUSED");
});

test("an app that was ready and then isn't: not ready, and nothing is done to it", async (t) => {
  const { one, says, cast } = await asked(
    t,
    `exec:test -e "$FLAG"`,
    ["sh", "-c", 'touch "$FLAG"; sleep 1; rm "$FLAG"; sleep 2; touch "$FLAG"; exec sleep 1000'],
    ["--ready-every", "100ms"],
  );
  await says(200);
  await says(503);
  await one.line(/^the app is not ready: its check ended with 1$/);
  await says(200);
  await one.line(/^the app is ready again$/);
  one.signal("SIGTERM");
  assert.equal(await one.exited(), 143, cast.story());
});
