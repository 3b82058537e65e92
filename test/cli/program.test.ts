import assert from "node:assert/strict";
import { test } from "node:test";
import pkg from "../../package.json" with { type: "json" };
import { program } from "../../src/cli/program.ts";
import { Failure } from "../../src/errors.ts";

/** What a command line writes, or how it fails. */
async function outcome(...argv: string[]): Promise<string> {
  let output = "";
  try {
    await program(argv, (text) => (output += text));
    return output;
  } catch (error) {
    if (error instanceof Failure) return `${error.exitCode} ${error.message}`;
    throw error;
  }
}

test("--version prints package.json's version", async () => {
  assert.equal(await outcome("--version"), `${pkg.version}\n`);
});

test("--help fits a screen and has an example", async () => {
  const help = await outcome("--help");
  const lines = help.split("\n");
  assert.ok(lines.length <= 24, `${lines.length} lines`);
  assert.ok(lines.every((line) => line.length <= 100));
  assert.match(help, /leasehold run --lock .* -- mysqld/);
  assert.doesNotMatch(help, /release/, "internal commands are not shown");
});

const mistakes: readonly (readonly [argv: readonly string[], sentence: string])[] = [
  [[], "64 a command is missing; leasehold --help lists them"],
  [["rn"], "64 unknown command 'rn'; did you mean run?"],
  [["--versio"], "64 unknown option '--versio'; did you mean --version?"],
  [["teleport"], "64 unknown command 'teleport'; see leasehold --help"],
  [["run"], "64 run needs a command after --; e.g. leasehold run -- mysqld"],
  [["run", "mysqld"], "64 run needs a command after --; e.g. leasehold run -- mysqld"],
  [["run", "--lock", "zk://a/b", "--"], "64 run needs a command after --; e.g. leasehold run -- mysqld"],
  [["release", "--now"], "64 unknown option '--now'; see leasehold --help"],
];
for (const [argv, sentence] of mistakes) {
  test(`leasehold ${argv.join(" ")}: one sentence with the remedy`, async () => {
    assert.equal(await outcome(...argv), sentence);
  });
}

test("run says that it starts nothing, whatever its options are", async () => {
  const sentence = /^64 this version has the guard but no lock backend yet, so run starts nothing; /;
  assert.match(await outcome("run", "--lock", "zk://a/b", "--", "true", "--version"), sentence);
});

test("release is the guard's own", async () => {
  assert.match(await outcome("release"), /^64 release is run by the guard alone/);
});
