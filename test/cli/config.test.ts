import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, test } from "node:test";
import { outcome } from "./outcome.ts";

const lock = ["--lock", "zk://h/a"];
const variables = ["LEASEHOLD_TTL", "LEASEHOLD_TTTL", "LEASEHOLD_LOCK_PASSWORD"];
afterEach(() => {
  for (const name of variables) delete process.env[name];
});

test("check says ok", async () => {
  assert.equal(await outcome("config", "check", ...lock, "--fence", "echo --off"), "ok\n");
});

test("check says what is wrong, as run would", async () => {
  assert.match(
    await outcome("config", "check", ...lock, "--ttl", "30"),
    /^78 --ttl is "30", without a unit; /,
  );
  assert.match(await outcome("config", "check", ...lock, "--ttl", "2s"), /^78 a lease of 2 s is too short: /);
  assert.match(
    await outcome("config", "check", "--lock", "zk://u:s3cret@h/a"),
    /^78 --lock holds a user or password/,
  );
  assert.match(await outcome("config", "check", "--ttl", "-1s", ...lock), /negative/);
});

test("check reads the environment, and warns of unknown variables", async () => {
  process.env.LEASEHOLD_TTL = "1h";
  process.env.LEASEHOLD_TTTL = "1";
  const warning =
    "warning: the variable LEASEHOLD_TTTL is no option and is ignored; did you mean LEASEHOLD_TTL?\n";
  assert.equal(await outcome("config", "check", ...lock), `${warning}ok\n`);
  process.env.LEASEHOLD_TTL = "";
  assert.match(await outcome("config", "check", ...lock), /^78 LEASEHOLD_TTL is empty; /);
});

test("show prints what is in effect, with sources and without secrets", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "leasehold-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "a.yaml");
  writeFileSync(path, "node: a\nfence: [fence, --off]\n");
  process.env.LEASEHOLD_TTL = "1m";
  process.env.LEASEHOLD_LOCK_PASSWORD = "s3cret";
  const shown = await outcome("config", "show", ...lock, "--config", path, "--lock-user", "root");
  assert.match(shown, /^lock: zk:\/\/h:2181\/a +# --lock$/m);
  assert.match(shown, /^ttl: 60s +# LEASEHOLD_TTL$/m);
  assert.match(shown, /^node: a +# ".*a\.yaml", line 1: node$/m);
  assert.match(shown, /^fence: \["fence", "--off"\] +# ".*", line 2: fence$/m);
  assert.match(shown, /^margin: 3s +# default$/m);
  assert.doesNotMatch(shown, /s3cret/);
});

test("schema is JSON", async () => {
  const { $schema } = JSON.parse(await outcome("config", "schema")) as { $schema: string };
  assert.match($schema, /json-schema\.org/);
});

test("config profile prints what docs/profiles has, and knows a near miss", async () => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/profiles/postgres.md"), "utf8");
  assert.equal(await outcome("config", "profile", "postgres"), page);
  assert.match(await outcome("config", "profile"), /^# Profiles\n/);
  assert.equal(
    await outcome("config", "profile", "postgre"),
    '64 there is no profile "postgre"; did you mean postgres?',
  );
});
