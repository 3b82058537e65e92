import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { parse_config, read_config_file } from "../../src/config/file.ts";
import { refusal } from "./refusal.ts";

const read = (text: string): object =>
  Object.fromEntries(parse_config(text, "f").map(({ name, raw }) => [name, raw]));

test("options are texts as they were written, hooks also lists", () => {
  const text = `# a comment
lock: zk://zk1,zk2/mysql
ttl: 30s
listen: 08080
node: "no"
when-busy: exit # another
fence:
  - /usr/local/bin/fence
  - --off
post-stop: |
  echo one
  echo two
`;
  assert.deepEqual(read(text), {
    lock: "zk://zk1,zk2/mysql",
    ttl: "30s",
    listen: "08080",
    node: "no",
    "when-busy": "exit",
    fence: ["/usr/local/bin/fence", "--off"],
    "post-stop": "echo one\necho two\n",
  });
});

test("JSON is YAML, and nothing at all is no option", () => {
  assert.deepEqual(read('{"ttl": "30s"}'), { ttl: "30s" });
  for (const text of ["", "\n\n", "# only a comment\n", "{}", "---\n"]) assert.deepEqual(read(text), {});
  assert.deepEqual(read("\uFEFFttl: 30s\r\nnode: a\r\n"), { ttl: "30s", node: "a" });
});

test("each entry says where it stands", () => {
  assert.deepEqual(
    parse_config("ttl: 30s\n\nnode: a\n", "my.yaml").map(({ where }) => where),
    ['"my.yaml", line 1: ttl', '"my.yaml", line 3: node'],
  );
});

const bad: readonly (readonly [what: string, text: string, sentence: RegExp])[] = [
  [
    "an unknown key",
    "ttl: 1s\nlossgrace: 5s\n",
    /^78 "f", line 2: "lossgrace" is no option; did you mean loss-grace\?$/,
  ],
  ["a key in camel case", "lossGrace: 5s", /did you mean loss-grace\?$/],
  ["a key like none", "teleport: 5s", /"teleport" is no option; see docs\/options\.md$/],
  ["a key of Object", "constructor: 5s", /"constructor" is no option/],
  ["config in the file", "config: other.yaml", /config can't stand in the file itself; give --config$/],
  [
    "a password in the file",
    "lock-password: s3cret",
    /the password doesn't belong here; give lock-password-file$/,
  ],
  [
    "a key twice",
    "ttl: 1s\nnode: a\nttl: 2s",
    /^78 "f", line 3: "ttl" is there twice; the first is in line 1$/,
  ],
  [
    "a mapping as value",
    "fence:\n  a: b",
    /line 1: fence is no text or list of texts; no anchors, tags or mappings here$/,
  ],
  ["a list in a list", "fence: [[a]]", /no text or list of texts/],
  ["a list where none belongs, of lists", "ttl: [[1s]]", /ttl is no text;/],
  ["an alias", "node: &a x\nadvertise: *a", /node is no text; no anchors/],
  ["a merge key", "<<: {ttl: 1s}", /"<<" is no option/],
  ["a tag", "node: !!binary aGk=", /node is no text; no anchors, tags|no YAML/],
  ["a mapping as key", "? {a: b}\n: c", /a key is no plain text/],
  ["a list as document", "- ttl: 1s", /it is no list of options; write e\.g\. ttl: 30s$/],
  ["a word as document", "s3cret", /it is no list of options/],
  ["two documents", "ttl: 1s\n---\nttl: 2s", /line 2: it has more than one document/],
  ["a tab as indentation", "fence:\n\t- a", /line 2: a tab is no indentation/],
  ["an open bracket", "fence: [a", /it is no YAML: /],
  ["an open quote", 'node: "a', /it is no YAML: /],
  ["no YAML", "a: b: c", /it is no YAML: /],
  ["another YAML version", "%YAML 9.9\n---\nttl: 1s", /it is no YAML: /],
  ["an alias bomb", alias_bomb(), /"a0" is no option/],
  ["deep brackets", "[".repeat(100_000), /it is nested too deeply/],
  ["deep mappings", "fence: {a: ".repeat(20_000), /nested too deeply|no YAML/],
  ["a megabyte of keys", many_keys(), /has more than 1000 keys/],
  ["NUL bytes", "ttl: \0\n", /^78 "f": it holds a NUL character; /],
];
for (const [what, text, sentence] of bad) {
  test(`${what} is refused in one sentence`, async () => {
    const refused = await refusal(() => parse_config(text, "f"));
    assert.match(refused, sentence);
    assert.doesNotMatch(refused, /\n|s3cret/);
    assert.ok(refused.length < 300, refused);
  });
}

function alias_bomb(): string {
  const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"];
  for (let i = 1; i < 30; i++) lines.push(`a${i}: &a${i} [${`*a${i - 1}, `.repeat(9)}]`);
  return lines.join("\n");
}

function many_keys(): string {
  return Array.from({ length: 90_000 }, (_, index) => `k${index}: 1\n`).join("");
}

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "leasehold-"));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

test("a file is read whatever the symbolic links to it are", (t) => {
  const path = join(folder(t), "leasehold.yaml");
  writeFileSync(path, "ttl: 1s\n");
  symlinkSync("leasehold.yaml", `${path}.link`);
  assert.equal(read_config_file(`${path}.link`).length, 1);
});

test("files that are none are refused in one sentence", async (t) => {
  const directory = folder(t);
  const path = (name: string): string => join(directory, name);
  mkdirSync(path("directory"));
  writeFileSync(path("latin1"), Buffer.from("node: \xe4\n", "latin1"));
  writeFileSync(path("utf16"), Buffer.from("\ufeffttl: 1s\n", "utf16le"));
  writeFileSync(path("large"), "");
  truncateSync(path("large"), 100e6);
  symlinkSync("loop", path("loop"));
  assert.equal(spawnSync("mkfifo", [path("pipe")]).status, 0);

  const cases: [name: string, why: string][] = [
    ["missing", "doesn't exist; create it or name another"],
    ["latin1/file", "doesn't exist: a part of its path is no directory; name another"],
    ["directory", "is a directory; name a file"],
    ["latin1", "is not UTF-8; store it as UTF-8"],
    ["utf16", "is not UTF-8; store it as UTF-8"],
    ["large", "is larger than 1 MB; name the right file"],
    ["loop", "is a symbolic link to itself; name a file"],
    ["pipe", "is no regular file; name a regular file"],
  ];
  for (const [name, why] of cases) {
    const refused = await refusal(() => read_config_file(path(name)));
    // A long path is cut, in the middle of the sentence.
    assert.ok(refused.startsWith('78 the configuration file "') && refused.endsWith(`" ${why}`), refused);
  }
  assert.match(await refusal(() => read_config_file("/dev/zero")), /is no regular file/);
  assert.match(
    await refusal(() => read_config_file("/proc/kallsyms")),
    /is larger than 1 MB|may not be read/,
  );
});

test("a file that this user may not read is refused", async (t) => {
  const path = join(folder(t), "secret.yaml");
  writeFileSync(path, "ttl: 1s\n");
  chmodSync(path, 0);
  if (process.getuid?.() !== 0) {
    assert.match(await refusal(() => read_config_file(path)), /may not be read by this user/);
    return;
  }
  // Root may read all, nobody may not.
  chmodSync(join(path, ".."), 0o755);
  process.seteuid?.(65_534);
  try {
    assert.match(
      await refusal(() => read_config_file(path)),
      /may not be read by this user; change its owner or mode$/,
    );
  } finally {
    process.seteuid?.(0);
  }
});
