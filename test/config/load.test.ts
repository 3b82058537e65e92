import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { load_config, load_settings } from "../../src/config/load.ts";
import { show } from "../../src/config/show.ts";
import { refusal } from "./refusal.ts";

const lock = "zk://h/a";

function file(t: TestContext, text: string, name = "leasehold.yaml"): string {
  const directory = mkdtempSync(join(tmpdir(), "leasehold-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

test("with only a lock, everything else is the default", async () => {
  const { given, sources, warnings, ...rest } = await load_config({ lock }, {});
  assert.deepEqual(sources, { lock: "--lock" });
  assert.deepEqual(given.raw, { lock });
  assert.deepEqual(warnings, []);
  assert.deepEqual(rest, {
    lock: { scheme: "zk", endpoints: [{ host: "h", port: 2181 }], path: "/a" },
    credentials: {},
    node: hostname(),
    advertise: null,
    timing: {
      ttl_ms: 30_000,
      loss_grace_ms: 5000,
      drain_ms: 0,
      margin_ms: 1500,
      renew_ms: 3000,
      attempt_ms: 1500,
      retry_ms: 250,
      stop_timeout_ms: 20_000,
    },
    stop_signal: 15,
    stop_scope: "main",
    profile: null,
    ready: null,
    restarts_max: 0,
    when_busy: "wait",
    wait_timeout_ms: null,
    on_loss: "exit",
    volumes: [],
    volume_lease: false,
    on_outage: "stop",
    attach: null,
    data: null,
    hooks: { fence: null, pre_start: null, post_stop: null, lost: null },
    hook_timeout_ms: 60_000,
    listen: null,
    termination_log: null,
    log_format: null,
    log_level: "info",
  });
});

test("defaults follow from the ttl", async () => {
  const { timing } = await load_config({ lock, ttl: "10s" }, {});
  assert.equal(timing.loss_grace_ms, 2000);
  assert.equal(timing.margin_ms, 500);
});

test("flags beat the environment, which beats the file, and each value's source is known", async (t) => {
  const path = file(t, `lock: ${lock}\nttl: 10s\nnode: from-file\nstop-timeout: 1s\n`);
  const environment = {
    LEASEHOLD_CONFIG: path,
    LEASEHOLD_NODE: "from-environment",
    LEASEHOLD_STOP_TIMEOUT: "2s",
  };
  const { timing, node, sources } = await load_config({ "stop-timeout": "3s" }, environment);
  assert.equal(timing.ttl_ms, 10_000);
  assert.equal(node, "from-environment");
  assert.equal(timing.stop_timeout_ms, 3000);
  assert.match(sources.ttl ?? "", /leasehold\.yaml", line 2: ttl$/);
  assert.equal(sources.node, "LEASEHOLD_NODE");
  assert.equal(sources["stop-timeout"], "--stop-timeout");
  assert.equal(sources.config, "LEASEHOLD_CONFIG");
});

test("--config beats LEASEHOLD_CONFIG", async (t) => {
  const path = file(t, `lock: ${lock}\nnode: right\n`);
  const { node } = await load_config({ config: path }, { LEASEHOLD_CONFIG: "/nowhere" });
  assert.equal(node, "right");
});

test("a wrong value is refused also where another beats it", async () => {
  assert.match(
    await refusal(() => load_config({ lock, ttl: "10s" }, { LEASEHOLD_TTL: "10" })),
    /^78 LEASEHOLD_TTL is "10", without a unit/,
  );
});

test("a wrong value of the file is refused with its line", async (t) => {
  const path = file(t, `lock: ${lock}\n\nttl: -1s\n`, "l.yaml");
  assert.match(
    await refusal(() => load_config({ config: path }, {})),
    /", line 3: ttl is "-1s", which is negative; /,
  );
});

test("no lock is wrong usage", async () => {
  assert.match(
    await refusal(() => load_config({}, {})),
    /^64 --lock is missing; give --lock, LEASEHOLD_LOCK or lock in/,
  );
});

test("a ttl that is too short for its parts is refused with the numbers", async () => {
  const flags = { lock, ttl: "5s", "loss-grace": "3s", drain: "1s" };
  assert.equal(
    await refusal(() => load_config(flags, {})),
    "78 a lease of 5 s is too short: loss grace 3 s, drain 1 s, margin 500 ms leave 495 ms, and a renewal every 833 ms " +
      "with two attempts of 625 ms needs 2.08 s; lengthen --ttl or shorten the parts, see leasehold explain",
  );
});

test("warnings of the environment come along", async () => {
  const { warnings } = await load_settings({}, { LEASEHOLD_TLL: "1s" });
  assert.equal(warnings.length, 1);
});

test("hooks: a string is run by sh -c, a list as it is", async (t) => {
  const path = file(t, `lock: ${lock}\nfence: [fence, --off]\nlost: echo lost | mail root\n`);
  const { hooks } = await load_config({ config: path, "pre-start": "mkdir -p /data/db" }, {});
  assert.deepEqual(hooks.fence, ["fence", "--off"]);
  assert.deepEqual(hooks.lost, ["/bin/sh", "-c", "echo lost | mail root"]);
  assert.deepEqual(hooks.pre_start, ["/bin/sh", "-c", "mkdir -p /data/db"]);
});

test("what show prints is read as the same configuration again, and has no password", async (t) => {
  const environment = { LEASEHOLD_LOCK_PASSWORD: "s3cret", LEASEHOLD_NODE: 'a:b"#c' };
  const flags = {
    lock: "etcds://[::1],h:1/a/b",
    "lock-user": "root",
    fence: "echo 'a: b' # \t\u001b[31m",
    listen: "[::]:80",
    "wait-timeout": "90s",
    "stop-signal": "SIGRTMIN+3",
    "termination-log": "/dev/termination-log",
    "log-format": "json",
    advertise: "*anchor",
  };
  const settings = await load_settings(flags, environment);
  const shown = show(settings);
  assert.doesNotMatch(shown, /s3cret/);
  assert.match(shown, /^# lock-password: \*\*\* +# LEASEHOLD_LOCK_PASSWORD$/m);
  // eslint-disable-next-line no-control-regex
  assert.doesNotMatch(shown, /[\u0000-\u0009\u000b-\u001f]/);

  const again = await load_settings({ config: file(t, shown) }, environment);
  const effective = ({ given: _given, sources: _sources, ...rest }: typeof settings): object => rest;
  assert.deepEqual(effective(again), effective(settings));
  assert.deepEqual(again.given.values.lock, settings.given.values.lock);
});
