// The examples for orchestrators: each file is read by whoever has a schema for it, by `explain`, and by the program that it is for, where that
// can be had.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createServer as http_server } from "node:http";
import { connect, createServer as server } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import * as apps from "kubernetes-models/apps/v1";
import * as policy from "kubernetes-models/policy/v1";
import * as core from "kubernetes-models/v1";
import { parse, parseAllDocuments } from "yaml";
import { stop_budget } from "../../src/cli/budget.ts";
import { explain_file } from "../../src/cli/deploy/explain.ts";
import { settings_of } from "../../src/cli/deploy/settings.ts";
import { Contenders, until } from "../support/contenders.ts";
import { as_user, directory, quiet_port, redis, run } from "../support/databases.ts";
import { breaks } from "../support/json-schema.ts";
import { requires } from "../support/requires.ts";
import { label } from "../support/volume.ts";

const examples = join(import.meta.dirname, "../../examples");
const read = (file: string): string => readFileSync(join(examples, file), "utf8");

type Manifest = { kind: string; metadata: { name: string }; [key: string]: unknown };
const manifests = (file: string): Manifest[] =>
  parseAllDocuments(read(`kubernetes/${file}`)).map((document) => document.toJS() as Manifest);

const models: Readonly<Record<string, new (data: never) => { validate(): void }>> = {
  StatefulSet: apps.StatefulSet,
  Service: core.Service,
  PersistentVolumeClaim: core.PersistentVolumeClaim,
  PodDisruptionBudget: policy.PodDisruptionBudget,
};

type Kustomization = { resources: string[]; patches?: { path: string }[] };
const kustomization = (folder: string) =>
  parse(read(`kubernetes/${folder}/kustomization.yaml`)) as Kustomization;

test("Kubernetes: the base's files are all there, and the API's schema takes them", () => {
  for (const file of kustomization("base").resources)
    for (const manifest of manifests(`base/${file}`)) {
      const Model = models[manifest.kind];
      assert.ok(Model, manifest.kind);
      assert.doesNotThrow(() => new Model(manifest as never).validate(), file);
    }
  const broken = manifests("base/statefulset.yaml")[0];
  assert.throws(
    () => new apps.StatefulSet({ ...broken, spec: { replicas: "two" } } as never).validate(),
    /replicas/,
  );
});

test("Kubernetes: an overlay patches what is there, and the result fits, too", async (t) => {
  const base = kustomization("base").resources.flatMap((file) => manifests(`base/${file}`));
  const { patches = [], resources } = kustomization("overlays/production");
  assert.deepEqual(resources, ["../../base"]);
  for (const { path } of patches)
    for (const patch of manifests(`overlays/production/${path}`))
      assert.ok(
        base.some(({ kind, metadata }) => kind === patch.kind && metadata.name === patch.metadata.name),
        path,
      );
  // The two numbers of the patch: what it gives has to hold what it asks for.
  const times = read("kubernetes/overlays/production/times.yaml");
  const [, stop = ""] = /LEASEHOLD_STOP_TIMEOUT, value: (\w+)/.exec(times) ?? [];
  const [, grace_s = ""] = /terminationGracePeriodSeconds: (\d+)/.exec(times) ?? [];
  const { settings } = await settings_of(
    {
      where: "",
      command: [],
      environment: { LEASEHOLD_STOP_TIMEOUT: stop, LEASEHOLD_VOLUME: "/v" },
      node: "p-0",
    },
    {},
  );
  assert.ok(stop_budget(settings).needed_s <= Number(grace_s));
  t.diagnostic(`${stop_budget(settings).needed_s} s of ${grace_s} s`);
});

for (const [orchestrator, file] of [
  ["kubernetes", "kubernetes/base/statefulset.yaml"],
  ["marathon", "marathon/mysql.json"],
  ["marathon", "marathon/local-storage.json"],
] as const) {
  test(`explain --${orchestrator} finds nothing wrong in examples/${file}`, async () => {
    const { lines, wrong } = await explain_file(orchestrator, join(examples, file), {});
    assert.equal(wrong, 0, lines.join("\n"));
    assert.ok(lines.length > 3);
  });
}

test("Marathon's own schema takes its examples, and refuses what is none", () => {
  const schema = JSON.parse(
    readFileSync(join(import.meta.dirname, "marathon-app-definition.json"), "utf8"),
  ) as Record<string, unknown>;
  for (const file of ["mysql.json", "local-storage.json"])
    assert.deepEqual(breaks(JSON.parse(read(`marathon/${file}`)), schema), [], file);
  const app = JSON.parse(read("marathon/mysql.json")) as Record<string, unknown>;
  assert.deepEqual(breaks({ ...app, instances: "two" }, schema), ["it.instances is no integer"]);
  assert.deepEqual(breaks({ ...app, instanses: 2 }, schema), ["it has an unknown instanses"]);
});

test("what the README shows is what the examples have", () => {
  const readme = readFileSync(join(examples, "../README.md"), "utf8");
  const shown = (from: string): string[] => {
    const [, block = ""] = new RegExp(`^\\*\\*${from}\\*\\*[^]*?\n\n((?: {4}.*\n)+)`, "m").exec(readme) ?? [];
    return block
      .trimEnd()
      .split("\n")
      .map((line) => line.trim());
  };
  for (const [from, file] of [
    ["Kubernetes", "kubernetes/base/statefulset.yaml"],
    ["Marathon", "marathon/mysql.json"],
  ] as const) {
    const lines = read(file)
      .split("\n")
      .map((line) => line.trim());
    assert.ok(shown(from).length > 5, from);
    for (const line of shown(from)) assert.ok(lines.includes(line), `${file}: ${line}`);
  }
});

test("HAProxy takes its configuration", (t) => {
  if (!requires(t, "haproxy")) return;
  const env = {
    PATH: process.env.PATH,
    APP_BIND: ":1",
    A_APP: "127.0.0.1:2",
    A_LISTEN: "3",
    B_APP: "127.0.0.1:4",
    B_LISTEN: "5",
  };
  const { status, stderr } = spawnSync("haproxy", ["-c", "-f", join(examples, "haproxy/haproxy.cfg")], {
    encoding: "utf8",
    env,
  });
  assert.equal(status, 0, stderr);
});

/** As the example has it, with ports of its own. */
async function haproxy(t: TestContext) {
  const [front = 0, a = 0, a_listen = 0, b = 0, b_listen = 0] = await Promise.all(
    [0, 0, 0, 0, 0].map(() => quiet_port()),
  );
  const ports = {
    APP_BIND: `127.0.0.1:${front}`,
    A_APP: `127.0.0.1:${a}`,
    A_LISTEN: `${a_listen}`,
    B_APP: `127.0.0.1:${b}`,
    B_LISTEN: `${b_listen}`,
  };
  const program = spawn("haproxy", ["-db", "-f", join(examples, "haproxy/haproxy.cfg")], {
    stdio: "ignore",
    env: { PATH: process.env.PATH, ...ports },
  });
  t.after(() => void program.kill("SIGKILL"));
  return { front, a, a_listen, b, b_listen };
}

test("HAProxy in front of two contenders: clients reach the holder, and after its stop the other one, with the data", async (t) => {
  if (!requires(t, "haproxy", ...redis.requirements)) return;
  const cast = new Contenders(t);
  const volume = join(cast.folder, "volume");
  mkdirSync(volume);
  label(volume, 10_000);
  const data = join(volume, "data");
  directory(data, "redis");
  const { front, a, a_listen, b, b_listen } = await haproxy(t);
  const start = (node: string, port: number, listen: number) =>
    cast.start({
      lock: `file://${volume}`,
      node,
      args: [
        "--ttl",
        "10s",
        "--profile",
        "redis",
        "--ready",
        `redis://127.0.0.1:${port}`,
        "--listen",
        `${listen}`,
      ],
      app: [...as_user("redis"), "redis-server", "--port", `${port}`, "--dir", data, "--appendonly", "yes"],
    });
  const ask = (...words: string[]) =>
    run("root", ["sh", "-c", 'redis-cli -p "$0" "$@" 2>&1 || :', `${front}`, ...words]).trim();
  const one = start("a", a, a_listen);
  await one.line(/^the app is ready$/);
  await until(
    () => ask("set", "greeting", "hello") === "OK",
    "OK through HAProxy",
    () => cast.story(),
  );
  // Nothing answers for more than two of HAProxy's intervals: late isn't no, and no client is cut off.
  const client = connect(front, "127.0.0.1");
  client.on("error", () => {});
  const answers: string[] = [];
  client.on("data", (chunk) => answers.push(chunk.toString()));
  client.write("PING\r\n");
  const answered = (times: number) =>
    until(
      () => client.closed || answers.join("") === "+PONG\r\n".repeat(times),
      `${times} answers to a client`,
      () => cast.story(),
    );
  await answered(1);
  one.signal("SIGSTOP", one.controller);
  await sleep(1200);
  one.signal("SIGCONT", one.controller);
  client.write("PING\r\n");
  await answered(2);
  assert.equal(client.closed, false);
  client.destroy();

  const two = start("b", b, b_listen);
  await two.line(/^waiting: /);
  one.signal("SIGTERM");
  assert.equal(await one.exited(), 0, cast.story());
  await until(
    () => ask("get", "greeting") === "hello",
    "the data through HAProxy",
    () => cast.story(),
  );
  assert.match(ask("config", "get", "port"), new RegExp(`^port\\s+${b}$`));
  assert.ok(existsSync(join(data, "appendonlydir")));
});

test("HAProxy, when an app has gone since its last check: who connects just then is taken to the other one", async (t) => {
  if (!requires(t, "haproxy")) return;
  const { front, a_listen, b, b_listen } = await haproxy(t);
  // Both are ready by what they say; at a's port nobody listens.
  const checked = new Set<number>();
  for (const port of [a_listen, b_listen]) {
    const probes = http_server((_, answer) => void answer.end(() => checked.add(port)));
    await once(probes.listen(port, "127.0.0.1"), "listening");
    t.after(() => probes.close());
  }
  const app = server((client) => void client.end("b"));
  await once(app.listen(b, "127.0.0.1"), "listening");
  t.after(() => app.close());
  await until(
    () => checked.size === 2,
    "both to be checked",
    () => `checked: ${[...checked].join(" ")}`,
  );
  // In turns, so half of them are for a at first.
  for (let n = 0; n < 4; n++) {
    const client = connect(front, "127.0.0.1").setEncoding("utf8");
    assert.equal((await client.toArray()).join(""), "b");
  }
});
