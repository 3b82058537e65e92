// The Nomad job: HCL by HashiCorp's own parser, the job specification as far as it is used, and what leasehold is told in it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "@cdktn/hcl2json";
import { stop_budget } from "../../src/cli/budget.ts";
import { settings_of } from "../../src/cli/deploy/settings.ts";

const text = readFileSync(join(import.meta.dirname, "../../examples/nomad/postgres.nomad.hcl"), "utf8");

// Blocks come as arrays, one element each; labelled ones below their label.
type Attributes = Readonly<Record<string, unknown>>;
type Labelled = Readonly<Record<string, Attributes[]>>;
const job = ((await parse("postgres.nomad.hcl", text)) as { job: Labelled }).job.postgres?.[0] ?? {};
const group = (job.group as Labelled).postgres?.[0] ?? {};
const task = (group.task as Labelled).postgres?.[0] ?? {};
const one = (of: Attributes, block: string): Attributes => {
  const [only, ...others] = of[block] as Attributes[];
  assert.deepEqual(others, [], block);
  return only ?? {};
};

// Of the job specification (developer.hashicorp.com/nomad/docs/job-specification), what is used here.
const known: readonly (readonly [string, Attributes, readonly string[]])[] = [
  ["job", job, ["group", "type"]],
  ["group", group, ["constraint", "count", "network", "service", "task", "update", "volume"]],
  ["constraint", one(group, "constraint"), ["attribute", "operator", "value"]],
  ["network", one(group, "network"), ["mode", "port"]],
  ["update", one(group, "update"), ["health_check", "max_parallel"]],
  ["service", one(group, "service"), ["check", "name", "port", "provider"]],
  ["check", one(one(group, "service"), "check"), ["interval", "path", "port", "timeout", "type"]],
  ["volume", (group.volume as Labelled).data?.[0] ?? {}, ["read_only", "source", "type"]],
  ["task", task, ["config", "driver", "env", "kill_signal", "kill_timeout", "volume_mount"]],
  ["config", one(task, "config"), ["args", "command", "image", "network_mode"]],
  ["volume_mount", one(task, "volume_mount"), ["destination", "read_only", "volume"]],
];
for (const [block, attributes, names] of known)
  test(`${block} has nothing that Nomad doesn't know`, () => {
    assert.notDeepEqual(attributes, {});
    for (const name of Object.keys(attributes)) assert.ok(names.includes(name), name);
  });

test("what it refers to is there", () => {
  const ports = Object.keys(one(group, "network").port as object);
  const service = one(group, "service");
  for (const { port } of [service, one(service, "check")])
    assert.ok(ports.includes(String(port)), String(port));
  assert.ok(String(one(task, "volume_mount").volume) in (group.volume as object));
  const references = [...text.matchAll(/\$\{(.*?)\}/g)].map(([, name = ""]) => name);
  assert.ok(references.length > 3);
  for (const name of references) {
    const [, port] = /^NOMAD_(?:PORT|ADDR)_(\w+)$/.exec(name) ?? [];
    assert.ok(port === undefined ? name === "node.unique.name" : ports.includes(port), name);
  }
});

test("a standby isn't waited for, and clients get only the holder", () => {
  assert.equal(group.count, 2);
  assert.equal(one(group, "update").health_check, "task_states");
  const check = one(one(group, "service"), "check");
  assert.deepEqual([check.path, check.type, check.check_restart], ["/readyz", "http", undefined]);
});

test("what leasehold is told is read without a complaint, and a stop fits", async () => {
  const environment = one(task, "env") as Record<string, string>;
  const { settings } = await settings_of({ where: "task", command: [], environment, node: "n-0" }, {});
  assert.deepEqual(settings.warnings, []);
  const [, kill_s = ""] = /^(\d+)s$/.exec(String(task.kill_timeout)) ?? [];
  assert.ok(stop_budget(settings).needed_s <= Number(kill_s));
  assert.equal(task.kill_signal, "SIGTERM");
});
