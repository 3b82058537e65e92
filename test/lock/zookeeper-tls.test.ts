// zks://: ZooKeeper's own TLS port, which demands a client certificate, and over IPv6.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { LockRefused, LockUnknown } from "../../src/errors.ts";
import type { Credentials } from "../../src/lock/lock.ts";
import { ZooKeeperLock } from "../../src/lock/zookeeper/lock.ts";
import { release_zookeeper } from "../../src/lock/zookeeper/release.ts";
import type { ZooKeeperTarget } from "../../src/lock/zookeeper/session.ts";
import { requires } from "../support/requires.ts";
import { ensemble, free_ports } from "../support/zookeeper.ts";
import { real_time, taken } from "./contract.ts";

function openssl(directory: string, ...args: string[]): void {
  execFileSync("openssl", args, { cwd: directory, stdio: "ignore" });
}

/** A CA, and a certificate of it: name.pem and name.key. */
function certificates(directory: string, names: Record<string, string>): void {
  const key = ["-newkey", "rsa:2048", "-nodes"];
  openssl(
    directory,
    "req",
    "-x509",
    ...key,
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
    "-subj",
    "/CN=ca",
    "-days",
    "2",
  );
  for (const [name, alternative] of Object.entries(names)) {
    openssl(
      directory,
      "req",
      ...key,
      "-keyout",
      `${name}.key`,
      "-out",
      `${name}.csr`,
      "-subj",
      `/CN=${name}`,
    );
    writeFileSync(join(directory, "ext"), `subjectAltName=${alternative}\n`);
    const by_ca = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "ext", "-days", "2"];
    openssl(directory, "x509", "-req", "-in", `${name}.csr`, "-out", `${name}.pem`, ...by_ca);
  }
}

function contender(t: TestContext, target: ZooKeeperTarget, credentials: Credentials): ZooKeeperLock {
  const identity = { holder: "n", instance: randomUUID(), boot_id: "b", address: null, volume_id: null };
  const options = {
    identity,
    ttl_ms: 6000,
    attempt_ms: 4000,
    time: real_time,
    on_lost: () => {},
    credentials,
  };
  const lock = new ZooKeeperLock(target, options);
  t.after(() => lock.close());
  return lock;
}

const refused =
  (pattern: RegExp) =>
  (error: unknown): boolean =>
    error instanceof LockRefused && pattern.test(error.message);

test("TLS: both sides prove who they are, by name and by address", async (t) => {
  if (!requires(t, "zookeeper", "java", "openssl")) return;
  const directory = mkdtempSync(join(tmpdir(), "leasehold-tls-"));
  t.after(() => rmSync(directory, { recursive: true }));
  certificates(directory, {
    server: "DNS:localhost,IP:127.0.0.1,IP:::1",
    client: "DNS:client",
    other: "DNS:other",
  });
  const file = (name: string): string => readFileSync(join(directory, name), "utf8");
  writeFileSync(join(directory, "both.pem"), file("server.key") + file("server.pem"));
  const [port = 0] = await free_ports(1);
  const zookeeper = await ensemble({
    config: [
      `secureClientPort=${port}`,
      "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
      `ssl.keyStore.location=${directory}/both.pem`,
      "ssl.keyStore.type=PEM",
      `ssl.trustStore.location=${directory}/ca.pem`,
      "ssl.trustStore.type=PEM",
      "ssl.clientAuth=need",
    ],
  });
  t.after(() => zookeeper.end());
  const at = (host: string, its_port = port): ZooKeeperTarget => ({
    servers: [{ host, port: its_port }],
    tls: true,
    path: `/tls/${randomUUID()}`,
  });
  const credentials = { ca: file("ca.pem"), cert: file("client.pem"), key: file("client.key") };

  const hosts = [
    "localhost",
    "127.0.0.1",
    ...(networkInterfaces().lo?.some(({ family }) => family === "IPv6") === true ? ["::1"] : []),
  ];
  for (const host of hosts) {
    const target = at(host);
    const lock = contender(t, target, { ...credentials, user: "u", password: "p" });
    await taken(lock);
    assert.equal((await lock.prove()).kind, "proved");
    await release_zookeeper(lock.release_record());
    assert.equal((await lock.prove()).kind, "lost");
  }

  const { ca: _, ...without_ca } = credentials;
  await assert.rejects(
    contender(t, at("localhost"), without_ca).take(),
    refused(/^TLS with localhost:\d+ failed/),
  );
  await assert.rejects(
    contender(t, at("127.0.0.2"), credentials).take(),
    (error: unknown) => error instanceof LockUnknown || refused(/TLS with 127.0.0.2/)(error),
  );
  await assert.rejects(contender(t, at("localhost"), { ca: credentials.ca }).take(), refused(/TLS with/));
  const plain = zookeeper.servers[0]?.port ?? 0;
  await assert.rejects(
    contender(t, at("127.0.0.1", plain), credentials).take(),
    (error: unknown) => error instanceof LockRefused || error instanceof LockUnknown,
  );
  await assert.rejects(contender(t, { ...at("127.0.0.1"), tls: false }, {}).take(), LockUnknown);
});
