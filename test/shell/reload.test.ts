import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type Config, type Flags, load_config } from "../../src/config/load.ts";
import { describe_reload, reload, rules_of } from "../../src/shell/reload.ts";

const config = (flags: Flags = {}): Promise<Config> =>
  load_config({ lock: "etcds://h/a", node: "n", ...flags }, {});

test("nothing has changed", async () => {
  const now = await config();
  const reloaded = reload(now, await config());
  assert.deepEqual(reloaded, { config: now, changed: [], needs_restart: [] });
  assert.equal(describe_reload(reloaded), "the configuration was read again, nothing has changed in effect");
});

test("the ttl stays, and so does all that follows from it", async () => {
  const now = await config();
  const reloaded = reload(now, await config({ ttl: "60s", "stop-timeout": "1s", lock: "etcds://h/b" }));
  assert.deepEqual(reloaded.config.timing, { ...now.timing, stop_timeout_ms: 1000 });
  assert.deepEqual(reloaded.config.lock, now.lock);
  assert.equal(
    describe_reload(reloaded),
    "the configuration was read again, changed: stop-timeout; needs a restart: lock, ttl",
  );
});

test("volumes, and all that belongs to them, need a restart", async () => {
  const flags = { volume: ["/data"], "on-outage": "stop" } as const;
  const device = { device: "/dev/sdb", fstype: "ext4", attach: "a", "fsck-timeout": "2h" } as const;
  const now = await config(flags);
  const reloaded = reload(
    now,
    await config({ ...flags, volume: ["/data,type=nfs"], drain: "2s", ...device }),
  );
  assert.deepEqual(reloaded.changed, []);
  assert.deepEqual(reloaded.needs_restart, ["drain", "volume", "attach", "device", "fstype", "fsck-timeout"]);
  assert.deepEqual([reloaded.config.volumes, reloaded.config.attach], [now.volumes, null]);
});

test("what needed a restart the last time is named again, what was changed isn't", async () => {
  const next = await config({ ttl: "60s", "on-loss": "standby" });
  const first = reload(await config(), next);
  const second = reload(first.config, next);
  assert.deepEqual([second.changed, second.needs_restart], [[], ["ttl"]]);
});

test("an option that is taken out goes back to its default", async () => {
  const given = await config({ "when-busy": "exit", "wait-timeout": "1s", fence: "f", "hook-timeout": "1s" });
  const reloaded = reload(given, await config());
  assert.deepEqual(reloaded.changed, ["when-busy", "wait-timeout", "fence", "hook-timeout"]);
  const rules = rules_of(reloaded.config, "b");
  assert.deepEqual([rules.when_busy, rules.wait_timeout_ms, rules.hooks.fence], ["wait", null, false]);
  assert.equal(reloaded.config.hook_timeout_ms, 60_000);
});

test("another content of the same file is a change; certificates that don't belong together are refused", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "leasehold-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "password");
  const flags = { "lock-user": "u", "lock-password-file": file };
  writeFileSync(file, "one\n");
  const now = await config(flags);
  writeFileSync(file, "two\n");
  const reloaded = reload(now, await config(flags));
  assert.deepEqual(reloaded.changed, ["lock-password-file"]);
  assert.equal(reloaded.config.credentials.password, "two");
  assert.doesNotMatch(describe_reload(reloaded), /one|two/);

  const broken = {
    ...now,
    credentials: { cert: "-----BEGIN CERTIFICATE-----", key: "-----BEGIN PRIVATE KEY-----" },
  };
  assert.throws(
    () => reload(now, broken),
    /can't be used \(.*\); check that --lock-cert-file and --lock-key-file/,
  );
});
