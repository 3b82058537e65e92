// What retrying can't mend is refused, in one sentence with the remedy, and without a secret.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer as http_server } from "node:http";
import { createServer, type Server } from "node:net";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { LockRefused, LockUnknown } from "../../src/errors.ts";
import { EtcdLock } from "../../src/lock/etcd/lock.ts";
import { release_etcd } from "../../src/lock/etcd/release.ts";
import type { EtcdTarget } from "../../src/lock/etcd/target.ts";
import type { Credentials } from "../../src/lock/lock.ts";
import { Authority } from "../support/certificates.ts";
import { type Etcd, etcd } from "../support/etcd.ts";
import { requires } from "../support/requires.ts";
import { real_time, taken, until } from "./contract.ts";

const password = "unguessable-4711";

function open(
  t: TestContext,
  target: Omit<EtcdTarget, "path">,
  credentials: Credentials = {},
): EtcdLock & { notes: string[] } {
  const notes: string[] = [];
  const lock = new EtcdLock(
    { ...target, path: "/lock/path" },
    {
      identity: { holder: "n", instance: randomUUID(), boot_id: "b", address: null, volume_id: null },
      ttl_ms: 5000,
      attempt_ms: 3000,
      time: real_time,
      on_lost: () => {},
      on_note: (sentence) => notes.push(sentence),
      credentials,
    },
  );
  t.after(() => lock.close());
  return Object.assign(lock, { notes });
}

/** One sentence that says it, with a remedy, and no secret. */
const refused =
  (pattern: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof LockRefused, String(error));
    assert.match(error.message, pattern);
    assert.notEqual(error.remedy, "");
    assert.doesNotMatch(`${error.stack} ${error.received}`, /unguessable|PRIVATE/);
    return true;
  };

async function listening(t: TestContext, server: Server): Promise<{ host: string; port: number }[]> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  return [{ host: "127.0.0.1", port: address.port }];
}

async function with_auth(t: TestContext, args: readonly string[] = []): Promise<Etcd | null> {
  if (!requires(t, "etcd", "etcdctl")) return null;
  const servers = await etcd(t, { args });
  await servers.ready();
  for (const words of [
    `user add root:${password}`,
    `user add app:${password}`,
    `user add reader:${password}`,
    `user add nobody:${password}`,
    "role add holder",
    "role grant-permission holder readwrite --prefix=true /lock/path/",
    "user grant-role app holder",
    "role add reader",
    "role grant-permission reader read --prefix=true /lock/path/",
    "user grant-role reader reader",
    "user grant-role root root",
    "auth enable",
  ])
    servers.ctl(words.split(" "));
  servers.ctl_args = ["--user", `root:${password}`];
  return servers;
}

test("user and password: with them all goes as without", async (t) => {
  const servers = await with_auth(t);
  if (servers === null) return;
  const credentials = { user: "app", password };
  const lock = open(t, { endpoints: servers.endpoints, tls: false }, credentials);
  await taken(lock);
  assert.equal((await lock.prove()).kind, "proved");
  assert.doesNotMatch(lock.url, /unguessable|app/);
  await release_etcd(lock.release_record());
  const next = open(t, { endpoints: servers.endpoints, tls: false }, credentials);
  const { previous } = await taken(next);
  assert.equal(previous?.state, "clean");
});

test("a wrong password, no password, an unknown user, no permission, only to read", async (t) => {
  const servers = await with_auth(t);
  if (servers === null) return;
  const target = { endpoints: servers.endpoints, tls: false };
  const wrong = { user: "app", password: `${password}-not` };
  await assert.rejects(
    open(t, target, wrong).take(),
    refused(/refuses the user or the password.*check --lock-user/),
  );
  await assert.rejects(open(t, target).take(), refused(/wants a user and a password/));
  await assert.rejects(
    open(t, target, { user: "who", password }).take(),
    refused(/refuses the user or the password/),
  );
  await assert.rejects(
    open(t, target, { user: "nobody", password }).take(),
    refused(/denies the permission/),
  );
  await assert.rejects(
    open(t, target, { user: "reader", password }).take(),
    refused(/denies the permission/),
  );
});

test("a token that has run out is renewed", async (t) => {
  const servers = await with_auth(t, ["--auth-token-ttl=1"]);
  if (servers === null) return;
  const lock = open(t, { endpoints: servers.endpoints, tls: false }, { user: "app", password });
  await taken(lock);
  await sleep(2500);
  assert.equal((await lock.prove()).kind, "proved");
  const [member] = servers.members;
  await member?.kill();
  member?.start();
  await until(async () => (await lock.prove().catch(() => undefined))?.kind === "proved");
});

test("a password that etcd doesn't ask for is said to be useless", async (t) => {
  if (!requires(t, "etcd", "etcdctl")) return;
  const servers = await etcd(t);
  await servers.ready();
  const lock = open(t, { endpoints: servers.endpoints, tls: false }, { user: "app", password });
  await taken(lock);
  assert.match(lock.notes.join("\n"), /asks nobody for a password/);
});

test("what isn't etcd", async (t) => {
  const page = http_server((_, response) => void response.writeHead(404).end("<html>not here</html>"));
  const fine = http_server((_, response) => void response.end("<html>welcome</html>"));
  const ssh = createServer((socket) => void socket.on("error", () => {}).end("SSH-2.0-OpenSSH_9.2\r\n"));
  const busy = http_server((_, response) => void response.writeHead(503).end("later"));
  const silent = createServer((socket) => void socket.on("error", () => {}).end());
  for (const server of [page, fine, ssh]) {
    const endpoints = await listening(t, server);
    const plain = open(t, { endpoints, tls: false });
    await assert.rejects(plain.take(), refused(/is not etcd's JSON gateway.*check host and port/));
    await assert.rejects(open(t, { endpoints, tls: true }).take(), refused(/doesn't speak TLS.*etcd:/));
  }
  for (const server of [busy, silent])
    await assert.rejects(open(t, { endpoints: await listening(t, server), tls: false }).take(), LockUnknown);
});

test("the gateway is off", async (t) => {
  if (!requires(t, "etcd", "etcdctl")) return;
  const servers = await etcd(t, { args: ["--enable-grpc-gateway=false"] });
  await servers.ready();
  const lock = open(t, { endpoints: servers.endpoints, tls: false });
  await assert.rejects(lock.take(), refused(/is not etcd's JSON gateway.*--enable-grpc-gateway/));
});

test("nobody listens, and no such host, are unknown: they may come", async (t) => {
  const server = createServer();
  const endpoints = await listening(t, server);
  server.close();
  await assert.rejects(open(t, { endpoints, tls: false }).take(), LockUnknown);
  const nowhere = [{ host: "nowhere.invalid", port: 2379 }];
  await assert.rejects(open(t, { endpoints: nowhere, tls: false }).take(), LockUnknown);
});

test("an address of IPv6", async (t) => {
  if (!requires(t, "etcd", "etcdctl")) return;
  const servers = await etcd(t, { host: "::1" });
  await servers.ready();
  const lock = open(t, { endpoints: servers.endpoints, tls: false });
  assert.match(lock.url, /^etcd:\/\/\[::1\]:\d+\/lock\/path$/);
  await taken(lock);
});

test("TLS: the authority, the host's name, the client's certificate, and each way to get them wrong", async (t) => {
  if (!requires(t, "etcd", "etcdctl", "openssl")) return;
  const authority = new Authority(t);
  const server = authority.sign("server", "IP:127.0.0.1,DNS:localhost");
  const client = authority.sign("client", "DNS:client");
  const files = (of: typeof server): string[] => [`--cert-file=${of.cert_file}`, `--key-file=${of.key_file}`];
  const { ca_file, ca } = { ca_file: authority.ca.cert_file, ca: authority.ca.cert };

  const plain = await etcd(t);
  const servers = await etcd(t, {
    https: true,
    args: [...files(server), "--client-cert-auth=true", `--trusted-ca-file=${ca_file}`],
  });
  const misnamed = await etcd(t, { https: true, args: files(authority.sign("other", "DNS:other.example")) });
  servers.ctl_args = ["--cacert", ca_file, "--cert", client.cert_file, "--key", client.key_file];
  misnamed.ctl_args = ["--cacert", ca_file, "--insecure-skip-tls-verify"];
  for (const one of [plain, servers, misnamed]) await one.ready();

  const { cert, key } = client;
  const target = { endpoints: servers.endpoints, tls: true };
  const lock = open(t, target, { ca, cert, key });
  await taken(lock);
  assert.equal((await lock.prove()).kind, "proved");
  assert.match(lock.url, /^etcds:/);
  await release_etcd(lock.release_record());

  await assert.rejects(open(t, target, { cert, key }).take(), refused(/authority.*--lock-ca-file/));
  await assert.rejects(open(t, target, { ca }).take(), /may want a client's certificate|TLS with .* failed/);
  await assert.rejects(
    open(t, { endpoints: misnamed.endpoints, tls: true }, { ca }).take(),
    refused(/certificate of .* is for another name/),
  );
  await assert.rejects(open(t, { ...target, tls: false }).take(), /may want TLS/);
  await assert.rejects(
    open(t, { endpoints: plain.endpoints, tls: true }, { ca }).take(),
    /may not speak TLS/,
  );
  assert.throws(
    () => open(t, target, { ca: "no PEM", cert, key: "-----BEGIN PRIVATE KEY-----" }),
    refused(/can't be used/),
  );
});
