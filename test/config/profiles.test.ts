import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { load_settings } from "../../src/config/load.ts";
import { option_names } from "../../src/config/options.ts";
import { type ProfileName, profile_names, profiles } from "../../src/config/profiles/all.ts";
import {
  data_directory,
  type DataFacts,
  judge_data,
  mismatch,
  settings_of,
} from "../../src/config/profiles/judge.ts";
import { profile_markdown, profiles_markdown } from "../../src/config/profiles/markdown.ts";
import type { Profile } from "../../src/config/profiles/profile.ts";
import { show } from "../../src/config/show.ts";
import { parse_value } from "../../src/config/values.ts";

const docs = join(import.meta.dirname, "../../docs/profiles");

test("docs/profiles is what the profiles say", () => {
  const page = (file: string): string => readFileSync(join(docs, file), "utf8");
  assert.equal(page("README.md"), profiles_markdown(), "leasehold config profile > docs/profiles/README.md");
  for (const name of profile_names)
    assert.equal(
      page(`${name}.md`),
      profile_markdown(name),
      `leasehold config profile ${name} > docs/profiles/${name}.md`,
    );
  assert.deepEqual(
    readdirSync(docs).toSorted(),
    [...profile_names.map((name) => `${name}.md`), "README.md"].toSorted(),
  );
});

for (const name of profile_names) {
  const { options, sources, data, dangers, run }: Profile = profiles[name];
  test(`the profile ${name} gives options that are read, and cites its sources`, () => {
    for (const option of option_names) {
      const value = options[option];
      if (value !== undefined) assert.doesNotThrow(() => parse_value(option, value, option));
    }
    if (name === "generic") return;
    assert.ok(sources.length >= 2 && sources.every(({ url }) => URL.canParse(url)));
    assert.match(data?.image ?? "", /^\//);
    for (const { setting, values } of dangers) {
      assert.equal(setting, setting.toLowerCase().replaceAll("_", "-"));
      assert.deepEqual(
        values,
        values.map((value) => value.toLowerCase()),
      );
    }
    const page = profile_markdown(name);
    assert.equal(/Not run against the real server here/.test(page), run === null);
  });
}

test("a profile's options are beaten by the file's, the environment's and flags, and each has its source", async () => {
  const plain = await load_settings({ profile: "postgres" }, {});
  assert.deepEqual(
    [plain.stop_signal, plain.timing.stop_timeout_ms, plain.ready?.check.how],
    [2, 60_000, "postgres"],
  );
  const shown = show(plain);
  assert.match(shown, /^stop-signal: SIGINT +# the profile postgres$/m);
  assert.match(shown, /^ready: postgres:\/\/127\.0\.0\.1:5432 +# the profile postgres$/m);
  const own = await load_settings(
    { profile: "postgres", "stop-signal": "SIGTERM" },
    { LEASEHOLD_READY: "none" },
  );
  assert.deepEqual([own.stop_signal, own.ready, own.timing.stop_timeout_ms], [15, null, 60_000]);
  const generic = await load_settings({ profile: "generic" }, {});
  assert.deepEqual([generic.stop_signal, generic.ready], [15, null]);
});

const facts = (changes: Partial<DataFacts> = {}): DataFacts => ({
  directory: "/d",
  names: [],
  files: new Map(),
  network: false,
  image_version: null,
  command: [],
  process: () => "none",
  ...changes,
});
const cluster = ["PG_VERSION", "base", "postmaster.pid", "postgresql.conf"];

test("what the directory is: not there, empty, the app's own with its version, unknown", () => {
  const notes = (changes: Partial<DataFacts>) => judge_data("postgres", facts(changes)).notes;
  assert.deepEqual(notes({ names: null }), ['"/d" isn\'t there yet: PostgreSQL makes it']);
  assert.deepEqual(notes({ names: ["lost+found"] }), ['"/d" is empty: PostgreSQL initialises it']);
  assert.deepEqual(notes({ names: ["x"] }), ['"/d" has no PostgreSQL in it (yet)']);
  assert.deepEqual(notes({ names: cluster, files: new Map([["PG_VERSION", "15\n"]]) }), [
    '"/d" holds PostgreSQL 15',
  ]);
});

test("data of a newer version than the image's is refused; of an older one, or when either isn't known, not", () => {
  const refusal = (name: ProfileName, file: string, version: string, image_version: string | null) =>
    judge_data(
      name,
      facts({ names: ["PG_VERSION", "mysql", file], files: new Map([[file, version]]), image_version }),
    ).refusal;
  assert.equal(
    refusal("postgres", "PG_VERSION", "16\n", "15"),
    '"/d" holds data of a newer PostgreSQL ("16") than this one (PG_MAJOR is "15"); run the newer one, or restore a backup of the older',
  );
  assert.match(refusal("mysql", "mysql_upgrade_info", "9.0.1", "8.4") ?? "", /newer MySQL/);
  assert.match(
    refusal("mariadb", "mariadb_upgrade_info", "11.4.2-MariaDB", "1:10.11.6+maria~ubu2204") ?? "",
    /newer MariaDB \("11\.4\.2-MariaDB"\)/,
  );
  for (const [file, version, image] of [
    ["PG_VERSION", "15\n", "15"],
    ["PG_VERSION", "14\n", "15"],
    ["PG_VERSION", "9.6\n", "10"],
    ["PG_VERSION", "16\n", null],
    ["PG_VERSION", "odd\n", "15"],
  ] as const)
    assert.equal(refusal("postgres", file, version, image), null, `${version} ${image}`);
  assert.equal(refusal("mysql", "mysql_upgrade_info", "8.4.2", "8.4"), null);
  assert.equal(refusal("mariadb", "mysql_upgrade_info", "10.11.9", "1:10.11.6+x"), null);
});

test("another app's data is refused, and a volume itself where the app wants a directory of its own", () => {
  const refusal = (name: ProfileName, names: string[]) => judge_data(name, facts({ names })).refusal;
  assert.match(
    refusal("mysql", cluster) ?? "",
    /^"\/d" holds data of PostgreSQL, not of MySQL; give the right --profile/,
  );
  assert.match(
    refusal("postgres", ["WiredTiger", "mongod.lock"]) ?? "",
    /holds data of MongoDB, not of PostgreSQL/,
  );
  assert.match(refusal("redis", ["writer.chk"]) ?? "", /holds data of EventStoreDB/);
  assert.match(refusal("postgres", [".leasehold"]) ?? "", /is the volume itself, and initdb refuses/);
  assert.equal(refusal("postgres", [".leasehold", ...cluster]), null, "it is initialised already");
  assert.equal(refusal("redis", [".leasehold"]), null);
  assert.equal(refusal("mariadb", ["mysql", "ibdata1"]), null);
  assert.equal(refusal("generic", cluster), null);
});

test("a lock file is removed only when its process doesn't run here, or is leasehold's own", () => {
  const judge = (text: string, process: DataFacts["process"]) =>
    judge_data("postgres", facts({ names: cluster, files: new Map([["postmaster.pid", text]]), process }));
  const lines = "123\n/d\n1700000000\n5432\n";
  const asked: number[] = [];
  const gone = judge(lines, (pid) => {
    asked.push(pid);
    return "none";
  });
  assert.deepEqual(asked, [123]);
  assert.deepEqual(
    gone.remove.map(({ file }) => file),
    ["postmaster.pid"],
  );
  assert.match(
    gone.remove[0]?.because ?? "",
    /^removed the stale "\/d\/postmaster\.pid": process 123 doesn't run here/,
  );
  assert.match(judge(lines, () => "ours").remove[0]?.because ?? "", /process 123 is leasehold itself$/);
  for (const text of ["", "garbage\n"])
    assert.match(judge(text, () => "other").remove[0]?.because ?? "", /names no process$/);
  const lives = judge(lines, () => "other");
  assert.deepEqual(lives.remove, []);
  assert.match(
    lives.warnings[0] ?? "",
    /names process 123, which runs here and isn't leasehold's: it is left/,
  );
});

test("lock files that the kernel's locks are about are left alone", () => {
  for (const [name, file, marker] of [
    ["mongodb", "mongod.lock", "WiredTiger"],
    ["elasticsearch", "node.lock", "_state"],
    ["rethinkdb", "log_file", "metadata"],
    ["eventstore", "chaser.chk", "writer.chk"],
    ["mariadb", "host.pid", "mysql"],
  ] as const) {
    const { remove, refusal } = judge_data(
      name,
      facts({ names: [marker, file], files: new Map([[file, "1\n"]]) }),
    );
    assert.deepEqual([remove, refusal], [[], null], name);
  }
});

test("dangerous settings: in the command, in the app's files, and on network storage only there", () => {
  const warnings = (name: ProfileName, changes: Partial<DataFacts>) =>
    judge_data(name, facts({ names: ["x"], ...changes })).warnings;
  const files = (conf: string, auto: string) =>
    new Map([
      ["postgresql.conf", conf],
      ["postgresql.auto.conf", auto],
    ]);
  assert.match(
    warnings("postgres", { command: ["postgres", "-c", "fsync=off"] })[0] ?? "",
    /^fsync off \(in the command\): a crash of the machine or the volume/,
  );
  assert.deepEqual(
    warnings("postgres", { command: ["postgres", "-cfsync=on"], files: files("fsync = off", "") }),
    [],
  );
  assert.match(
    warnings("postgres", { files: files("#x\n  fsync = 'off' # why\n", "") })[0] ?? "",
    /^fsync off \(in postgresql\.conf\)/,
  );
  assert.deepEqual(
    warnings("postgres", { files: files("fsync off\nfsync on", "") }),
    [],
    "the last one counts",
  );
  assert.deepEqual(
    warnings("postgres", { files: files("fsync off", "fsync = on") }),
    [],
    "auto.conf beats conf",
  );
  assert.deepEqual(warnings("postgres", { files: files("#fsync = off", "") }), []);
  assert.equal(
    warnings("mysql", { command: ["mysqld", "--innodb_flush_log_at_trx_commit=2", "--sync-binlog=0"] })
      .length,
    2,
  );
  assert.equal(warnings("redis", { command: ["redis-server", "--appendfsync", "no"] }).length, 1);
  assert.equal(warnings("eventstore", { command: ["eventstored", "--mem-db", "--insecure"] }).length, 1);
  const mmap = { files: files("dynamic_shared_memory_type = mmap", "") };
  assert.equal(warnings("postgres", mmap).length, 0);
  assert.equal(warnings("postgres", { ...mmap, network: true }).length, 1);
  assert.match(warnings("elasticsearch", { network: true })[0] ?? "", /Lucene relies on what NFS/);
});

test("settings as commands have them", () => {
  const command = [
    "x",
    "--a=1",
    "--B_c",
    "No",
    "--flag",
    "--d",
    "-c",
    "e=F",
    "-cg=1",
    "-Epath.data=/x",
    "h=1",
    "--",
  ];
  assert.deepEqual(Object.fromEntries(settings_of(command)), {
    a: "1",
    "b-c": "no",
    flag: "",
    d: "",
    e: "f",
    g: "1",
    "path.data": "/x",
  });
});

test("the data directory: --data, else the command's last, else the image's; a relative one isn't known", () => {
  const of = (name: ProfileName, ...command: string[]) => data_directory(name, null, command);
  assert.equal(data_directory("postgres", "/own", ["postgres", "-D", "/x"]), "/own");
  assert.equal(of("postgres", "docker-entrypoint.sh", "postgres"), "/var/lib/postgresql/data");
  assert.equal(of("postgres", "postgres", "-D", "/a", "--data-directory=/b"), "/b");
  assert.equal(of("mysql", "mysqld", "--datadir=/m"), "/m");
  assert.equal(of("redis", "redis-server", "--dir", "/r"), "/r");
  assert.equal(of("elasticsearch", "elasticsearch", "-Epath.data=/e"), "/e");
  assert.equal(of("postgres", "postgres", "-D", "here"), null);
  assert.equal(of("generic", "x"), null);
});

test("a command that is another app's is noticed", () => {
  assert.match(
    mismatch("postgres", ["/usr/sbin/mysqld"]) ?? "",
    /^the command runs mysqld, and the profile is postgres; give --profile for MySQL$/,
  );
  assert.equal(mismatch("mariadb", ["mysqld"]), null);
  assert.equal(mismatch("postgres", ["docker-entrypoint.sh", "postgres"]), null);
  assert.equal(mismatch("postgres", ["start.sh"]), null);
  assert.equal(mismatch("generic", ["mysqld"]), null);
});
