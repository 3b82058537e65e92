// `--restart on-failure` with the real guard: the app is started again in the same tenure, on an empty tree, and the lock stays.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Contenders, until } from "../support/contenders.ts";
import { label } from "../support/volume.ts";

/** Counts its starts, leaves a stubborn child behind and fails so often; then it stays. */
const app = (fails: number): string[] => [
  "sh",
  "-c",
  `echo "$LEASEHOLD_TOKEN" >>"$STARTS"; trap '' TERM; sleep 1000 & ` +
    `[ "$(wc -l <"$STARTS")" -gt ${fails} ] || exit 7; trap 'exit 0' TERM; echo up; while :; do sleep 0.05; done`,
];

test("an app that fails twice is started again twice, in one tenure, with nothing left of the one before", async (t) => {
  const cast = new Contenders(t);
  const starts = join(cast.folder, "starts");
  const one = cast.start({
    lock: "memory:",
    args: ["--restart", "on-failure:3"],
    app: app(2),
    env: { STARTS: starts },
  });
  await one.line(/^the app is started again in 1 s, restart 1 of 3$/);
  await one.line(/^the app is started again in 2 s, restart 2 of 3$/);
  await until(
    () => one.stdout.includes("up"),
    "the third start",
    () => one.story(),
  );
  one.signal("SIGTERM");
  assert.equal(await one.exited(), 0, one.story());
  assert.equal(readFileSync(starts, "utf8"), "1\n1\n1\n");
  const emptied = one.lines().findIndex(({ message }) => message.startsWith("the app is started again"));
  assert.ok(emptied > one.lines().findIndex(({ message }) => message === "the app ended with code 7"));
});

test("it fails too often: its code comes through", async (t) => {
  const cast = new Contenders(t);
  const env = { STARTS: join(cast.folder, "starts") };
  const one = cast.start({ lock: "memory:", args: ["--restart", "on-failure:1"], app: app(9), env });
  assert.equal(await one.exited(), 7, one.story());
  assert.equal(readFileSync(env.STARTS, "utf8"), "1\n1\n");
});

test("it fails on one node after the other: the third start waits, under the lock, and says how often it was", async (t) => {
  const cast = new Contenders(t);
  const volume = join(cast.folder, "volume");
  mkdirSync(volume);
  label(volume, 3000);
  const started = join(cast.folder, "starts");
  const lock = `file://${volume}`;
  const args = ["--ttl", "3s", "--drain", "200ms"];
  const fails = ["sh", "-c", `echo "$LEASEHOLD_TOKEN" >>"$STARTS"; exit 7`];
  const start = (node: string) => cast.start({ lock, node, args, app: fails, env: { STARTS: started } });
  for (const node of ["a", "b"]) assert.equal(await start(node).exited(), 7, cast.story());
  const third = start("c");
  await third.line(/^the app has failed 2 times in a row, the last time on b: it is started in 1 s$/);
  assert.equal(readFileSync(started, "utf8"), "1\n2\n");
  const standby = start("d");
  await standby.line(/waiting: the lock is held by c/);
  assert.equal(await third.exited(), 7, cast.story());
  await standby.line(/^the app has failed 3 times in a row, the last time on c: it is started in 2 s$/);
  standby.signal("SIGTERM");
  assert.equal(await standby.exited(), 143, cast.story());
  assert.equal(readFileSync(started, "utf8"), "1\n2\n3\n");
});
