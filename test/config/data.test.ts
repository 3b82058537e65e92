import assert from "node:assert/strict";
import { test } from "node:test";
import { type Flags, load_config } from "../../src/config/load.ts";
import { show } from "../../src/config/show.ts";
import { refusal } from "./refusal.ts";

const load = (flags: Flags) => load_config({ lock: "zk://h/prod/my-sql", node: "n-1", ...flags }, {});
const with_store = { data: "/data/{node}", "backup-store": "/backups,type=nfs4" } as const;

test("a data directory with a store: restored when it is empty, seven backups kept, the name is the lock's path", async () => {
  const { data } = await load(with_store);
  assert.ok(data);
  assert.equal(data.path, "/data/n-1");
  assert.deepEqual([data.store?.path, data.store?.types], ["/backups", ["nfs4"]]);
  assert.equal(data.app, "prod-my-sql");
  assert.deepEqual(data.restore, {
    when: { kind: "empty" },
    without: "first-boot",
    fallback: 0,
    load: null,
    check: null,
    timeout_ms: 12 * 3_600_000,
    keep_ms: 3_600_000,
  });
  const by_hand = { schedule: null, jitter_ms: 0, on_stop: false };
  assert.deepEqual(data.backup, {
    ...by_hand,
    dump: null,
    timeout_ms: 6 * 3_600_000,
    keep: 7,
    keep_for_ms: null,
  });
  assert.equal((await load({ data: "/data/db" })).data?.restore.when.kind, "never");
  assert.equal((await load({ ...with_store, "backup-keep": "0" })).data?.backup.keep, null);
});

test("when: each word, and with an id", async () => {
  const when = async (restore: string) => (await load({ ...with_store, restore })).data?.restore.when;
  for (const kind of ["empty", "missing-marker", "behind", "never"])
    assert.deepEqual(await when(kind), { kind });
  assert.deepEqual(await when("once:x"), { kind: "once", id: "x" });
  assert.deepEqual(await when("now"), { kind: "now", id: null, target_ms: null });
  assert.deepEqual(await when("now:x@1970-01-01T00:00:01Z"), { kind: "now", id: "x", target_ms: 1000 });
  assert.deepEqual(await when("now@1970-01-01T00:00:01Z"), { kind: "now", id: null, target_ms: 1000 });
  assert.match(await refusal(() => when("always")), /^78 --restore is "always", which is none of empty, /);
  assert.match(await refusal(() => when("once:")), /^78 --restore is "once:"/);
});

test("what has no meaning without something else is refused", async () => {
  const table: [Flags, RegExp][] = [
    [{ restore: "empty" }, /--restore is given without --data; give --data PATH/],
    [{ "backup-store": "/backups" }, /--backup-store is given without --data/],
    [
      { data: "/data", restore: "empty" },
      /--restore is given without a source; give --backup-store or --restore-with/,
    ],
    [{ data: "/data", "restore-with": "x", restore: "behind" }, /--restore behind needs --backup-store/],
    [{ data: "data" }, /--data has the relative path "data"/],
    [{ data: "/" }, /--data is the root file system itself/],
    [{ data: "/data", "backup-store": "/data/b" }, /--backup-store "\/data\/b" lies in --data/],
    [{ data: "/b/data", "backup-store": "/b" }, /--data "\/b\/data" lies in --backup-store/],
    [{ ...with_store, "backup-name": "../x" }, /--backup-name is "\.\.\/x", which is no folder's name/],
    [
      { data: "/data", "backup-schedule": "1h" },
      /--backup-schedule is given, and there is nowhere to back up to/,
    ],
    [
      { ...with_store, "backup-schedule": "1 2 3" },
      /--backup-schedule is "1 2 3": .*; write e\.g\. 0 3 \* \* \*, or 15m/,
    ],
    [{ ...with_store, "backup-schedule": "0 0 30 2 *" }, /that time never comes/],
    [{ ...with_store, "backup-schedule": "10ms" }, /which is too often; give 1s or more/],
    [
      { ...with_store, "backup-on-stop": "on", "restore-with": "x" },
      /--restore-with makes it out of something else/,
    ],
    [{ ...with_store, "backup-keep": "many" }, /--backup-keep is "many", which is no whole number/],
  ];
  for (const [flags, why] of table) assert.match(await refusal(() => load(flags)), why);
});

test("what is shown gives the same again", async () => {
  const settings = await load({
    ...with_store,
    "restore-with": "a b",
    "backup-keep-for": "1h",
    "restore-fallback": "2",
  });
  const shown = show(settings);
  assert.match(shown, /^data: "?\/data\/n-1"? /m);
  assert.match(shown, /^backup-store: .*\/backups,type=nfs4,probe=/m);
  assert.match(shown, /^restore-with: \["\/bin\/sh", "-c", "a b"\]/m);
  assert.match(shown, /^backup-keep-for: 3600s/m);
  assert.match(shown, /^restore-fallback: 2/m);
});
