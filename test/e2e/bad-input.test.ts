// Whatever is wrong with what leasehold was given: one sentence with the remedy, the right code, nothing started, no secret.
// One representative of each kind, through the real binary; the others are at their parts (test/config, test/cli, test/lock).

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer as http_server } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { record_format } from "../../src/core/record.ts";
import { Authority } from "../support/certificates.ts";
import { Contenders } from "../support/contenders.ts";
import { type Etcd, etcd } from "../support/etcd.ts";
import { guard } from "../support/hand.ts";
import { folder_of, refused, secret } from "../support/refusals.ts";
import { relay } from "../support/relay.ts";
import { requires } from "../support/requires.ts";
import { ensemble, operator } from "../support/zookeeper.ts";

async function listen(t: TestContext, server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

// ---- what needs no server ----

const lock = ["--lock", "etcd://127.0.0.1:1/a"];
const given: Record<string, readonly [options: readonly string[], code: number, sentence: RegExp]> = {
  "an unknown option": [[...lock, "--tll", "10s"], 64, /^unknown option '--tll'; did you mean --ttl\?$/],
  "a duration without unit": [
    [...lock, "--ttl", "30"],
    78,
    /^--ttl is "30", without a unit; write e\.g\. 30s$/,
  ],
  "a negative duration": [[...lock, "--drain=-1s"], 78, /^--drain is "-1s", which is negative; /],
  "an overflowing duration": [[...lock, "--ttl", "99999999999h"], 78, /more than 24 days; shorten it$/],
  "a ttl that is too short for its parts": [
    [...lock, "--ttl", "3s", "--drain", "1s"],
    78,
    /^a lease of 3 s is too short: loss grace 600 ms, drain 1 s, margin 500 ms leave 897 ms, .* needs 1\.5 s; lengthen/,
  ],
  "a URL of an unknown scheme": [
    ["--lock", "consul://h/a"],
    78,
    /^--lock has the scheme "consul", .*; it is one of /,
  ],
  "a URL without a path": [["--lock", "etcd://127.0.0.1:2379"], 78, /^--lock .*path.*; .*e\.g\. /],
  "a URL with a password": [
    ["--lock", `etcd://root:${secret}@127.0.0.1/a`],
    78,
    /^--lock holds a user or password, .*; give --lock-user/,
  ],
  "an illegal path": [
    ["--lock", "zk://127.0.0.1/a/../b"],
    78,
    /^--lock .*has a \. or \.\. segment; write the path in full$/,
  ],
};
for (const [name, [options, code, sentence]] of Object.entries(given))
  test(`${name}: ${code}`, (t) => refused(t, options, code, sentence));

const files: Record<string, readonly [content: string | Buffer | null, sentence: RegExp]> = {
  "is not UTF-8": [Buffer.from([0x74, 0xff, 0xfe]), /is not UTF-8; store it as UTF-8$/],
  "is not YAML": ["ttl: [\n", /line \d+: it is no YAML: .*; see docs\/options\.md$/],
  "has 100 MB": [null, /is larger than 1 MB; name the right file$/],
  "has a key twice": ["ttl: 30s\nttl: 20s\n", /line 2: "ttl" is there twice; the first is in line 1$/],
  "has an unknown key": ["losgrace: 5s\n", /line 1: "losgrace" is no option; did you mean loss-grace\?$/],
};
for (const [name, [content, sentence]] of Object.entries(files))
  test(`a configuration file that ${name}: 78`, async (t) => {
    const file = join(folder_of(t), "a.yaml");
    writeFileSync(file, content ?? Buffer.alloc(100e6, "a"));
    await refused(t, [...lock, "--config", file], 78, sentence);
  });

// ---- servers that can't be reached, or are none ----

for (const scheme of ["etcd", "zk"]) {
  test(`${scheme}: nobody listens, and nobody answers: 69`, async (t) => {
    const sockets: Socket[] = [];
    t.after(() => sockets.forEach((socket) => socket.destroy()));
    const silent = await listen(
      t,
      createServer((socket) => void sockets.push(socket)),
    );
    const ways = { refused: 1, silent };
    for (const [way, port] of Object.entries(ways)) {
      const options = ["--lock", `${scheme}://127.0.0.1:${port}/a`, "--when-busy", "exit", "--ttl", "10s"];
      await t.test(way, () => refused(t, options, 69, new RegExp(`127\\.0\\.0\\.1:${port}.*; check the `)));
    }
  });

  test(`${scheme}: an HTTP server, which is none: 78`, async (t) => {
    const port = await listen(
      t,
      http_server((_, response) => response.writeHead(404).end("<html>")),
    );
    await refused(
      t,
      ["--lock", `${scheme}://127.0.0.1:${port}/a`],
      78,
      /127\.0\.0\.1:\d+.* (is not etcd's|does not speak ZooKeeper's) .*; check /,
    );
  });
}

test("the wait for a server that can't be reached is over: 69, and why it couldn't", async (t) => {
  await refused(
    t,
    [...lock, "--wait-timeout", "1s"],
    69,
    /^the wait is over: .*127\.0\.0\.1:1.*ECONNREFUSED; check /,
  );
});

// ---- etcd ----

async function started(t: TestContext, options: Parameters<typeof etcd>[1] = {}): Promise<Etcd | null> {
  if (!requires(t, "etcd", "etcdctl", "openssl")) return null;
  const servers = await etcd(t, options);
  return servers;
}
const url = (servers: Etcd, path = "/a", scheme = "etcd"): string[] => [
  "--lock",
  `${scheme}://${servers.endpoints.map(({ host, port }) => `${host}:${port}`).join(",")}${path}`,
];

test("etcd: TLS on a plain port, a plain port taken for TLS, foreign and expired certificates", async (t) => {
  const plain = await started(t);
  if (!plain) return;
  const authority = new Authority(t);
  const { cert_file, key_file } = authority.sign("server", "IP:127.0.0.1");
  const tls = await etcd(t, { https: true, args: [`--cert-file=${cert_file}`, `--key-file=${key_file}`] });
  const old = expired(authority);
  const late = await etcd(t, { https: true, args: [`--cert-file=${old.cert}`, `--key-file=${old.key}`] });
  const ca = ["--lock-ca-file", authority.ca.cert_file];
  for (const servers of [tls, late])
    servers.ctl_args = ["--cacert", authority.ca.cert_file, "--insecure-skip-tls-verify"];
  for (const servers of [plain, tls, late]) await servers.ready();
  const exit = ["--when-busy", "exit"];

  await refused(t, [...url(tls), ...exit], 69, /it may want TLS \(then write etcds:\/\/\)/);
  await refused(
    t,
    [...url(plain, "/a", "etcds"), ...ca, ...exit],
    69,
    /it may not speak TLS \(then write etcd:\/\/\)/,
  );
  await refused(
    t,
    url(tls, "/a", "etcds"),
    78,
    /^the certificate of .* is not signed by an authority that is known here/,
  );
  const other = [
    "--lock-cert-file",
    cert_file,
    "--lock-key-file",
    authority.sign("other", "DNS:other").key_file,
  ];
  await refused(
    t,
    [...url(tls, "/a", "etcds"), ...ca, ...other],
    78,
    /can't be used .*; check .* belong together/,
  );
  await refused(t, [...url(late, "/a", "etcds"), ...ca], 78, /CERT_HAS_EXPIRED.*; check --lock-ca-file/);
});

/** A server's certificate that ended yesterday. */
function expired({ folder, ca }: Authority): { cert: string; key: string } {
  const openssl = (...args: string[]): unknown =>
    execFileSync("openssl", args, { cwd: folder, stdio: "ignore" });
  writeFileSync(join(folder, "ext"), "subjectAltName=IP:127.0.0.1\n");
  openssl(
    "req",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-keyout",
    "old.key",
    "-out",
    "old.csr",
    "-subj",
    "/CN=old",
  );
  const by = [
    "-CA",
    ca.cert_file,
    "-CAkey",
    ca.key_file,
    "-CAcreateserial",
    "-extfile",
    "ext",
    "-days",
    "-1",
  ];
  openssl("x509", "-req", "-in", "old.csr", "-out", "old.crt", ...by);
  return { cert: join(folder, "old.crt"), key: join(folder, "old.key") };
}

test("etcd: no user, a wrong password, no permission: 78", async (t) => {
  const servers = await started(t);
  if (!servers) return;
  await servers.ready();
  const words = [
    `user add root:${secret}`,
    `user add reader:${secret}`,
    "user grant-role root root",
    "role add reader",
    "role grant-permission reader read --prefix /a",
    "user grant-role reader reader",
    "auth enable",
  ];
  for (const line of words) servers.ctl(line.split(" "));
  servers.ctl_args = ["--user", `root:${secret}`];
  const as = (user: string): string[] => [...url(servers), "--lock-user", user];
  const password = { LEASEHOLD_LOCK_PASSWORD: secret };
  await refused(t, url(servers), 78, /wants a user and a password; give --lock-user/);
  await refused(t, as("root"), 78, /refuses the user or the password; check /, {
    LEASEHOLD_LOCK_PASSWORD: `${secret}-not`,
  });
  await refused(t, as("reader"), 78, /denies the permission .*; grant /, password);
});

test("etcd: foreign data where the lock would be: 78, and it stays", async (t) => {
  const servers = await started(t);
  if (!servers) return;
  await servers.ready();
  servers.ctl(["put", "/a/lock", "somebody's"]);
  await refused(
    t,
    url(servers),
    78,
    /^what lies at \/a\/lock was not written by leasehold; choose another path/,
  );
  assert.match(servers.ctl(["get", "/a/lock"]), /somebody's/);
});

test("etcd: a path that others' keys begin with is a lock of its own, and theirs stay", async (t) => {
  const servers = await started(t);
  if (!servers) return;
  await servers.ready();
  const others = [
    "/app",
    "/app/",
    "/app/lock2",
    "/app/lock/below",
    "/app/contenders",
    "/app/contendersx/y",
    "/application/lock",
  ];
  for (const key of others) servers.ctl(["put", key, "other"]);
  const contenders = new Contenders(t);
  const [, lock_url = ""] = url(servers, "/app");
  const first = contenders.start({ lock: lock_url, args: ["--ttl", "10s"] });
  await contenders.holder();
  const status = execFileSync(guard, ["status", "--lock", lock_url], { encoding: "utf8" });
  assert.match(status, /^standby {2}nobody$/m);
  first.signal("SIGTERM");
  await first.exited();
  assert.deepEqual(
    others.filter((key) => !servers.ctl(["get", key]).includes("other")),
    [],
  );
});

test("etcd: another cluster answers at a name of the lock: 78", async (t) => {
  const first = await started(t);
  if (!first) return;
  const second = await etcd(t);
  for (const servers of [first, second]) await servers.ready();
  const lock_url = `etcd://127.0.0.1:${first.endpoints[0]?.port},127.0.0.1:${second.endpoints[0]?.port}/a`;
  const contenders = new Contenders(t);
  contenders.start({ lock: lock_url, args: ["--ttl", "10s"] });
  await contenders.holder();
  const standby = contenders.start({ lock: lock_url, args: ["--ttl", "10s"] });
  await standby.line(/waiting/);
  await first.members[0]?.kill();
  await standby.line(
    /is of another cluster .*; check that all endpoints of --lock are members of one cluster/,
  );
  assert.equal(await standby.exited(), 78);
  assert.equal(standby.app, undefined);
});

const newer = JSON.stringify({ format: record_format + 1, anything: "else" });

test("etcd: a record of a newer leasehold: a standby stands by, and goes on when it is gone", async (t) => {
  const servers = await started(t);
  if (!servers) return;
  await servers.ready();
  servers.ctl(["put", "/a/record", newer]);
  await refused(
    t,
    [...url(servers), "--when-busy", "exit"],
    75,
    /is of a newer leasehold \(format 2, this one knows 1\); .*upgrade this one$/,
  );
  await refused(
    t,
    [...url(servers), "--wait-timeout", "1s"],
    75,
    /^the wait is over: the record at \/a\/record is of a newer/,
  );

  const contenders = new Contenders(t);
  const [, lock_url = ""] = url(servers);
  const standby = contenders.start({ lock: lock_url, args: ["--ttl", "10s"] });
  await standby.line(/of a newer leasehold .* \(standing by until then\)/);
  assert.equal(servers.ctl(["get", "/a/record", "--print-value-only"]), newer);
  servers.ctl(["del", "/a/record"]);
  await standby.line(/took the lock/);
});

// ---- ZooKeeper ----

test("ZooKeeper: TLS to a plain port, foreign data, no permission, a chroot that nobody may make, a newer record", async (t) => {
  if (!requires(t, "zookeeper", "java")) return;
  const servers = await ensemble();
  t.after(() => servers.end());
  const port = servers.servers[0]?.port ?? 0;
  const at = (path: string, scheme = "zk"): string[] => ["--lock", `${scheme}://127.0.0.1:${port}${path}`];
  const exit = ["--when-busy", "exit", "--ttl", "10s"];

  await refused(t, [...at("/a", "zks"), ...exit], 69, /127\.0\.0\.1:\d+.*; check /);

  const make = (
    nodes: readonly (readonly [path: string, data: string])[],
    credentials = {},
  ): Promise<unknown> =>
    operator(
      servers.target("/"),
      (connection) =>
        connection.multi(nodes.map(([path, data]) => ({ op: "create", path, data, ephemeral: false }))),
      credentials,
    );
  await make([
    ["/foreign", ""],
    ["/foreign/record", "somebody's"],
  ]);
  await refused(
    t,
    at("/foreign"),
    78,
    /^what lies at \/foreign\/record was not written by leasehold; choose another/,
  );

  await make([["/theirs", ""]], { user: "them", password: secret });
  await refused(
    t,
    at("/theirs/lock"),
    78,
    /^ZooKeeper permits no access to \/theirs.*; check the user, the password and the ACLs$/,
  );
  await refused(t, [...at("/theirs/lock"), "--lock-user", "them"], 78, /permits no access/, {
    LEASEHOLD_LOCK_PASSWORD: `${secret}-not`,
  });

  await make([
    ["/newer", ""],
    ["/newer/record", newer],
  ]);
  await refused(t, [...at("/newer"), ...exit], 75, /^the record at \/newer\/record is of a newer leasehold/);
});

test("etcd: a lease that the server lengthens is shown, and the app isn't kept longer than was asked for", async (t) => {
  // It grants no less than one and a half of its elections.
  const servers = await started(t, { args: ["--election-timeout=8000", "--heartbeat-interval=800"] });
  if (!servers) return;
  const contenders = new Contenders(t);
  const [, lock_url = ""] = url(servers);
  const holder = contenders.start({ lock: lock_url, args: ["--ttl", "6s"] });
  await holder.line(/^etcd grants leases of 12 s instead of 6 s$/);
  await contenders.holder();
  const [server] = servers.members;
  const stopped_at = performance.now();
  server?.stop();
  await holder.line(/^the lease is lost/);
  const took_ms = performance.now() - stopped_at;
  server?.resume();
  assert.ok(took_ms < 6000, `the app was ended ${took_ms} ms after etcd fell silent`);
});

test("ZooKeeper: a timeout that the server cuts is honoured and shown; refused if the rest doesn't fit into it", async (t) => {
  if (!requires(t, "zookeeper", "java")) return;
  const servers = await ensemble({ tick_ms: 500 });
  t.after(() => servers.end());
  const contenders = new Contenders(t);
  const holder = contenders.start({ lock: servers.url("/a"), args: ["--ttl", "12s"] });
  await holder.line(/^ZooKeeper grants a session timeout of 10000 ms, not 12000$/);
  await contenders.holder();
  holder.signal("SIGTERM");
  await holder.exited();
  const sentence = /^a lease of 10 s is too short: loss grace 5 s, drain 0 ms, margin 3 s leave 1\.99 s, /;
  await refused(t, ["--lock", servers.url("/b"), "--ttl", "60s"], 78, sentence);
});

test("ZooKeeper: another ensemble answers at the lock's name: 78, and nothing is made there", async (t) => {
  if (!requires(t, "zookeeper", "java")) return;
  const [first, second] = await Promise.all([ensemble(), ensemble()]);
  t.after(() => Promise.all([first.end(), second.end()]));
  const name = await relay(t, first.servers[0]?.port ?? 0);
  const contenders = new Contenders(t);
  contenders.start({ lock: first.url("/a"), args: ["--ttl", "8s"] });
  await contenders.holder();
  const standby = contenders.start({ lock: `zk://127.0.0.1:${name.port}/a`, args: ["--ttl", "8s"] });
  await standby.line(/waiting/);
  await name.aim(second.servers[0]?.port ?? 0);
  await name.cut();
  await name.mend();
  await standby.line(/is of another ensemble .*; check that all servers of --lock are of one ensemble/);
  assert.equal(await standby.exited(), 78);
  assert.equal(standby.app, undefined);
  const found = await operator(second.target("/"), (connection) => connection.exists("/a"));
  assert.equal(found, "no-node");
});
