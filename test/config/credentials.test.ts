import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { type Flags, load_config } from "../../src/config/load.ts";
import { refusal } from "./refusal.ts";

function files(t: TestContext): (name: string, content: string | Buffer) => string {
  const directory = mkdtempSync(join(tmpdir(), "leasehold-"));
  t.after(() => rmSync(directory, { recursive: true }));
  return (name, content) => {
    writeFileSync(join(directory, name), content);
    return join(directory, name);
  };
}

const environment = { LEASEHOLD_LOCK_PASSWORD: "s3cret" };
const pem = (label: string): string => `-----BEGIN ${label}-----\naGVsbG8=\n-----END ${label}-----\n`;

test("the password comes from a file, less its line end, or from the environment", async (t) => {
  const file = files(t);
  const flags = { lock: "zk://h/a", "lock-user": "root" };
  for (const content of ["s3cret", "s3cret\n", "s3cret\r\n"]) {
    const { credentials } = await load_config({ ...flags, "lock-password-file": file("p", content) }, {});
    assert.deepEqual(credentials, { user: "root", password: "s3cret" });
  }
  const { credentials } = await load_config(flags, environment);
  assert.deepEqual(credentials, { user: "root", password: "s3cret" });
});

test("authorities, certificate and key are read for TLS", async (t) => {
  const file = files(t);
  const flags = {
    lock: "etcds://h/a",
    "lock-ca-file": file("ca", pem("CERTIFICATE")),
    "lock-cert-file": file("cert", pem("CERTIFICATE")),
    "lock-key-file": file("key", pem("EC PRIVATE KEY")),
  };
  const { credentials } = await load_config(flags, {});
  assert.deepEqual(credentials, {
    ca: pem("CERTIFICATE"),
    cert: pem("CERTIFICATE"),
    key: pem("EC PRIVATE KEY"),
  });
});

test("credentials that don't fit are refused in one sentence", async (t) => {
  const file = files(t);
  const password = file("password", "s3cret\n");
  const ca = file("ca", pem("CERTIFICATE"));
  const user = { "lock-user": "root" };
  const cases: [flags: Flags, from: Record<string, string>, sentence: RegExp][] = [
    [
      { ...user, "lock-password-file": password },
      environment,
      /^78 both --lock-password-file and LEASEHOLD_LOCK_PASSWORD /,
    ],
    [
      user,
      {},
      /^78 --lock-user is given, but no password; give --lock-password-file or LEASEHOLD_LOCK_PASSWORD$/,
    ],
    [{}, environment, /^78 a password is given, but no user; give --lock-user$/],
    [{ "lock-password-file": password }, {}, /a password is given, but no user/],
    [user, { LEASEHOLD_LOCK_PASSWORD: "" }, /^78 LEASEHOLD_LOCK_PASSWORD is empty/],
    [{ lock: "file:///a", ...user }, environment, /a file lock has no users/],
    [{ "lock-ca-file": ca }, {}, /have no meaning for zk; write zks:\/\/$/],
    [{ lock: "file:///a", "lock-ca-file": ca }, {}, /have no meaning for file; leave them out$/],
    [{ lock: "zks://h/a", "lock-cert-file": ca }, {}, /^78 --lock-cert-file is given alone; /],
    [{ lock: "zks://h/a", "lock-key-file": ca }, {}, /^78 --lock-key-file is given alone; /],
    [
      { lock: "zks://h/a", "lock-ca-file": password },
      {},
      /^78 the authorities' file holds no PEM CERTIFICATE; /,
    ],
    [{ lock: "zks://h/a", "lock-cert-file": ca, "lock-key-file": ca }, {}, /holds no PEM PRIVATE KEY/],
    [
      { ...user, "lock-password-file": "/nowhere" },
      {},
      /^78 the password file "\/nowhere" doesn't exist; create it or name/,
    ],
    [{ ...user, "lock-password-file": "/" }, {}, /^78 the password file "\/" is a directory; /],
    [{ ...user, "lock-password-file": file("empty", "\n") }, {}, /^78 the password file is empty; /],
    [
      { ...user, "lock-password-file": file("two", "s3cret\ns3cret\n") },
      {},
      /^78 the password file has more than one line; /,
    ],
    [{ ...user, "lock-password-file": file("long", "s3cret".repeat(1000)) }, {}, /is larger than 4\.096 kB/],
    [{ ...user, "lock-password-file": file("latin", Buffer.from([0xe4])) }, {}, /is not UTF-8/],
  ];
  for (const [flags, from, sentence] of cases) {
    const refused = await refusal(() => load_config({ lock: "zk://h/a", ...flags }, from));
    assert.match(refused, sentence);
    assert.doesNotMatch(refused, /s3cret/);
  }
});
