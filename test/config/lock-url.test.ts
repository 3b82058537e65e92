import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { format_lock_url, type LockUrl, parse_lock_url } from "../../src/config/lock-url.ts";
import { refusal } from "./refusal.ts";

const server = (host: string, port: number): { host: string; port: number } => ({ host, port });
const good: readonly (readonly [text: string, url: LockUrl])[] = [
  ["etcd://h/a", { scheme: "etcd", endpoints: [server("h", 2379)], path: "/a" }],
  ["etcds://h/a", { scheme: "etcds", endpoints: [server("h", 2379)], path: "/a" }],
  ["zk://h/a", { scheme: "zk", endpoints: [server("h", 2181)], path: "/a" }],
  ["zks://h/a/b", { scheme: "zks", endpoints: [server("h", 2181)], path: "/a/b" }],
  [
    "zk://zk1:2182,zk2.example.org,10.0.0.3:1/mysql",
    {
      scheme: "zk",
      endpoints: [server("zk1", 2182), server("zk2.example.org", 2181), server("10.0.0.3", 1)],
      path: "/mysql",
    },
  ],
  ["etcd://[::1]/a", { scheme: "etcd", endpoints: [server("::1", 2379)], path: "/a" }],
  [
    "etcd://[2001:db8::1]:4001,[fe80::2]:4002/a",
    { scheme: "etcd", endpoints: [server("2001:db8::1", 4001), server("fe80::2", 4002)], path: "/a" },
  ],
  ["file:///mnt/volume", { scheme: "file", endpoints: [], path: "/mnt/volume" }],
  ["file:///mnt/a@b", { scheme: "file", endpoints: [], path: "/mnt/a@b" }],
  ["memory:", { scheme: "memory", endpoints: [], path: "/lock" }],
  ["memory:/a", { scheme: "memory", endpoints: [], path: "/a" }],
];
for (const [text, url] of good) {
  test(`${text} is read`, () => {
    assert.deepEqual(parse_lock_url(text, "--lock"), url);
    assert.deepEqual(
      parse_lock_url(format_lock_url(url), "--lock"),
      url,
      "and written so that it is read again",
    );
  });
}

const bad: readonly (readonly [text: string, sentence: RegExp])[] = [
  ["", /^78 --lock is empty; write e\.g\. zk:\/\/zk1:2181,zk2:2181\/mysql or etcd:\/\/etcd1:2379\/mysql$/],
  ["mysql", /is "mysql", which is no URL; /],
  ["zk:/h/a", /no URL/],
  ["zk//h/a", /no URL/],
  [
    "http://h/a",
    /has the scheme "http", which is unknown; it is one of etcd, etcds, zk, zks, file and memory$/,
  ],
  ["ZK://h/a", /scheme "ZK", which is unknown/],
  ["constructor://h/a", /scheme "constructor", which is unknown/],
  ["zk:///a", /without a host/],
  ["zk://h", /whose path is missing; the path names the lock, e\.g\. \/mysql$/],
  ["zk://h/", /whose path is missing/],
  ["zk://h/a/", /ends with \//],
  ["zk://h//a", /has an empty segment/],
  ["zk://h/a//b", /has an empty segment/],
  ["zk://h/a/../b", /has a \. or \.\. segment/],
  ["zk://h/./b", /has a \. or \.\. segment/],
  ["zk://h/a b", /blank or control character/],
  ["zk://h/a\n", /blank or control character/],
  ["zk://h/a?x=1", /\?, # or %/],
  ["zk://h/a#x", /\?, # or %/],
  ["zk://h/a%2e", /\?, # or %/],
  [`zk://h/${"a".repeat(600)}`, /longer than 512/],
  ["zk://h:/a", /"" is no port from 1 to 65535/],
  ["zk://h:0/a", /"0" is no port/],
  ["zk://h:65536/a", /"65536" is no port/],
  ["zk://h:port/a", /"port" is no port/],
  ["zk://h:-1/a", /"-1" is no port/],
  ["zk://h,,i/a", /a host is missing/],
  ["zk://h,/a", /a host is missing/],
  ["zk://:2181/a", /a host is missing/],
  ["zk://h h/a", /"h h" is no host/],
  ["zk://1.2.3.400/a", /"1\.2\.3\.400" is no host/],
  ["zk://-h/a", /"-h" is no host/],
  ["zk://::1/a", /the IPv6 address "::1" needs brackets/],
  ["zk://[::1/a", /needs brackets|no host/],
  ["zk://[::g]/a", /"::g" is no IPv6 address/],
  ["zk://[]/a", /"" is no IPv6 address/],
  ["zk://h:2181,h/a", /names h:2181 twice/],
  ["file://host/a", /a file URL names no host; write file:\/\/\/mnt\/volume$/],
  ["file:///", /path is missing/],
  ["file:///a/../b", /\.\. segment/],
  ["memory:a", /no \/ at its begin/],
];
for (const [text, sentence] of bad) {
  test(`${JSON.stringify(text.slice(0, 40))} is refused`, async () => {
    const refused = await refusal(() => parse_lock_url(text, "--lock"));
    assert.match(refused, sentence);
    assert.doesNotMatch(refused, /\n/);
  });
}

const with_password = [
  "etcd://root:s3cret@h/a",
  "zk://s3cret@h/a",
  "zk://u:s3c/s3cret@h/a",
  "zk://u:1/s3cret@h/a",
  "file://u:s3cret@h/a",
  "postgres://u:s3cret@h/a",
  "u:s3cret@h",
  "zk:u:s3cret@h/a",
  "etcd://h/a?password=s3cret",
];
for (const text of with_password) {
  test(`${text} is refused, and the password shown nowhere`, async () => {
    try {
      parse_lock_url(text, "--lock");
      assert.fail("not refused");
    } catch (error) {
      assert.doesNotMatch(`${String(error)} ${JSON.stringify(error)}`, /s3c/);
    }
  });
}

test("the remedy for a password in the URL is named", async () => {
  const sentence = await refusal(() => parse_lock_url("etcd://u:p@h/a", "LEASEHOLD_LOCK"));
  assert.match(
    sentence,
    /^78 LEASEHOLD_LOCK holds a user or password, .*; give --lock-user, and --lock-password-file or /,
  );
});

test("any text is read or refused with a sentence", async () => {
  const parts = fc.constantFrom(
    "zk",
    "etcd",
    "file",
    "memory",
    ":",
    "/",
    "//",
    "@",
    ",",
    "[",
    "]",
    "::1",
    "h",
    "..",
    "%",
  );
  const texts = fc.oneof(
    fc.string(),
    fc.array(parts, { maxLength: 12 }).map((all) => all.join("")),
  );
  await fc.assert(
    fc.asyncProperty(texts, async (text) => {
      const sentence = await refusal(() => parse_lock_url(text, "--lock"));
      return sentence === "not refused" || sentence.startsWith("78 --lock ");
    }),
  );
});
