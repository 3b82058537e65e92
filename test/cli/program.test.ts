import assert from "node:assert/strict";
import { test } from "node:test";
import pkg from "../../package.json" with { type: "json" };
import { option_names, takes } from "../../src/config/options.ts";
import { outcome } from "./outcome.ts";

test("--version prints package.json's version", async () => {
  assert.equal(await outcome("--version"), `${pkg.version}\n`);
});

const commands = [
  [],
  ["exec"],
  ["reload"],
  ["status"],
  ["leader"],
  ["explain"],
  ["config"],
  ["config", "check"],
  ["config", "show"],
  ["config", "schema"],
  ["config", "profile"],
  ["doctor"],
];
for (const command of commands) {
  test(`leasehold ${command.join(" ")} --help fits a screen and has an example`, async () => {
    const help = await outcome(...command, "--help");
    const lines = help.trimEnd().split("\n");
    assert.ok(lines.length <= 24, `${lines.length} lines`);
    assert.deepEqual(
      lines.filter((line) => line.length > 80),
      [],
    );
    assert.match(help, /^Example.*:\n {2}.*leasehold /m);
    assert.doesNotMatch(help, /release/, "internal commands are not shown");
  });
}

test("leasehold run --help has what is used most, in groups; --help-all has all", async () => {
  const help = await outcome("run", "--help");
  const lines = help.trimEnd().split("\n");
  assert.ok(lines.length <= 40, `${lines.length} lines`);
  assert.deepEqual(
    lines.filter((line) => line.length > 80),
    [],
  );
  assert.match(help, /^Example:\n {2}leasehold run /m);
  assert.ok(help.indexOf("--lock ") < help.indexOf("--fence "));
  assert.doesNotMatch(help, /--margin/);
  const all = await outcome("run", "--help-all");
  const names = option_names.filter((name) => takes(name, "flag"));
  assert.deepEqual(
    names.filter((name) => !all.includes(`--${name} `)),
    [],
  );
});

const mistakes: readonly (readonly [argv: readonly string[], sentence: string])[] = [
  [[], "64 a command is missing; leasehold --help lists them"],
  [["rn"], "64 unknown command 'rn'; did you mean run?"],
  [["--versio"], "64 unknown option '--versio'; did you mean --version?"],
  [["teleport"], "64 unknown command 'teleport'; see leasehold --help"],
  [["relaese"], "64 unknown command 'relaese'; see leasehold --help"],
  [["show"], "64 unknown command 'show'; did you mean config show?"],
  [["a\u001b[2J\n"], "64 unknown command 'a\\u001b[2J\\n'; see leasehold --help"],
  [["run"], "64 run needs a command after --; e.g. leasehold run -- mysqld"],
  [["run", "mysqld"], "64 run needs a command after --; e.g. leasehold run -- mysqld"],
  [["run", "--lock", "zk://a/b", "--"], "64 run needs a command after --; e.g. leasehold run -- mysqld"],
  [["exec"], "64 exec needs a command after --; e.g. leasehold exec -- mysqldump shop"],
  [["exec", "mysqldump"], "64 exec needs a command after --; e.g. leasehold exec -- mysqldump shop"],
  [["exec", "--timeot", "1s", "--", "a"], "64 unknown option '--timeot'; did you mean --timeout?"],
  [["exec", "--timeout", "1", "--", "a"], '78 --timeout is "1", without a unit; write e.g. 1s'],
  [["exec", "--pid", "x", "--pid", "1", "--", "a"], "64 --pid is there twice; give it once"],
  [
    ["reload", "now"],
    "64 too many arguments for 'reload'. Expected 0 arguments but got 1: now; see leasehold reload --help",
  ],
  [["release", "--now"], "64 unknown option '--now'; see leasehold release --help"],
  [["config"], "64 a command is missing; leasehold config --help lists them"],
  [["config", "chek"], "64 unknown command 'chek'; did you mean check?"],
  [["config", "check", "--lok", "x"], "64 unknown option '--lok'; did you mean --lock?"],
  [["config", "check", "--lossgrace", "x"], "64 unknown option '--lossgrace'; did you mean --loss-grace?"],
  [["config", "check", "--teleport"], "64 unknown option '--teleport'; see leasehold config check --help"],
  [
    ["--lock", "zk://a/b", "run"],
    "64 unknown option '--lock'; it belongs after the command: leasehold run --lock … -- COMMAND",
  ],
  [
    ["leader", "--ttl", "3s"],
    "64 unknown option '--ttl'; it is an option of leasehold run, not of leasehold leader",
  ],
  [["config", "check", "--wacth"], "64 unknown option '--wacth'; did you mean --watch of leasehold leader?"],
  [["config", "check", "--ttl"], "64 option '--ttl <D>' argument missing; see leasehold config check --help"],
  [["config", "check", "--ttl", "1s", "--ttl", "2s"], "64 --ttl is there twice; give it once"],
  [
    ["config", "check", "more"],
    "64 too many arguments for 'check'. Expected 0 arguments but got 1: more; see leasehold config check --help",
  ],
  [
    ["config", "check", "--profile=mysqld"],
    '78 --profile is "mysqld", which is none of mysql, mariadb, postgres, redis, mongodb, rethinkdb, elasticsearch, eventstore, generic; did you mean mysql?',
  ],
  [
    ["config", "check", "--lock-password=s3cret"],
    "64 unknown option '--lock-password'; give --lock-password-file or LEASEHOLD_LOCK_PASSWORD",
  ],
  [
    ["config", "check"],
    "64 --lock is missing; give --lock, LEASEHOLD_LOCK or lock in the file, e.g. zk://zk1/mysql",
  ],
  [
    ["config", "schema", "--format", "xml"],
    '64 --format is "xml", which is none of json, markdown; write e.g. --format json',
  ],
];
for (const [argv, sentence] of mistakes) {
  test(`leasehold ${argv.map((word) => JSON.stringify(word).slice(1, -1)).join(" ")}: one sentence with the remedy`, async () => {
    assert.equal(await outcome(...argv), sentence);
  });
}
