// The compose files: by Compose's rules as far as they are used, by `explain --compose`, and each for its own profile.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parse } from "yaml";
import { explain_file } from "../../src/cli/deploy/explain.ts";
import { profiles } from "../../src/config/profiles/all.ts";
import type { Profile } from "../../src/config/profiles/profile.ts";
import { requires } from "../support/requires.ts";

const folder = join(import.meta.dirname, "../../examples/compose");
const read = (file: string): string => readFileSync(join(folder, file), "utf8");

type Service = Readonly<{
  build?: { context: string; args: Record<string, string> };
  image?: string;
  hostname?: string;
  entrypoint?: string[];
  command?: string[];
  environment?: Record<string, string>;
  volumes?: string[];
  ports?: string[];
  depends_on?: string[];
  restart?: string;
}>;
type Compose = Readonly<{ include?: string[]; services: Record<string, Service>; volumes?: object }>;
const compose = (file: string): Compose => parse(read(file), { merge: true }) as Compose;

/** Of the Compose specification, what is used here. */
const known = {
  file: ["include", "services", "volumes"],
  service: [
    ...["build", "command", "depends_on", "entrypoint", "environment", "hostname", "image", "ports"],
    ...["restart", "stop_grace_period", "user", "volumes"],
  ],
};

const of_apps = readdirSync(folder).filter(
  (file) => file.endsWith(".yaml") && !/^(etcd|zookeeper)/.test(file),
);

test("there is one for each app that a profile is for, but MariaDB's, which is MySQL's", () => {
  const names = Object.values<Profile>(profiles).flatMap(({ data, app }) => (data ? [app] : []));
  const of_files = of_apps.map((file) => compose(file).services["app-a"]?.environment?.LEASEHOLD_PROFILE);
  const apps = of_files.map((name) => Object.entries(profiles).find(([one]) => one === name)?.[1].app);
  assert.deepEqual(apps.map(String).toSorted(), names.filter((app) => app !== "MariaDB").toSorted());
});

for (const file of of_apps)
  describe(`examples/compose/${file}`, () => {
    const { include = [], services, ...rest } = compose(file);

    test("has nothing that Compose doesn't know, and everything that it refers to", () => {
      const all = {
        ...services,
        ...Object.assign({}, ...include.map((one) => compose(one).services)),
      } as Record<string, Service>;
      for (const key of Object.keys({ include, services, ...rest })) assert.ok(known.file.includes(key), key);
      for (const [name, service] of Object.entries(all)) {
        for (const key of Object.keys(service)) assert.ok(known.service.includes(key), `${name}: ${key}`);
        assert.ok(service.image !== undefined || service.build, `${name} has no image`);
        for (const other of service.depends_on ?? []) assert.ok(all[other], `${name} depends on ${other}`);
        for (const value of Object.values(service.environment ?? {}))
          assert.equal(typeof value, "string", `${name}: ${value} needs quotes`);
        for (const [source = ""] of (service.volumes ?? []).map((volume) => volume.split(":")))
          assert.ok(
            source.startsWith("./") ? existsSync(join(folder, source)) : source in (rest.volumes ?? {}),
            `${name}: ${source}`,
          );
      }
      const lock = new URL(services["app-a"]?.environment?.LEASEHOLD_LOCK ?? "");
      assert.ok(all[lock.hostname], `the lock's host ${lock.hostname}`);
    });

    test("its two contenders differ in their names only, and clients reach the app's port", () => {
      const { "app-a": a, "app-b": b, front } = services;
      assert.deepEqual({ ...b, hostname: "app-a" }, a);
      assert.equal(b?.hostname, "app-b");
      const profile = Object.entries<Profile>(profiles).find(
        ([name]) => name === a?.environment?.LEASEHOLD_PROFILE,
      )?.[1];
      // RethinkDB's readiness is that of its web page.
      const port = file === "rethinkdb.yaml" ? "28015" : new URL(profile?.options.ready ?? "").port;
      assert.deepEqual([front?.environment?.PORT, front?.ports], [port, [`${port}:${port}`]]);
    });

    test("explain finds nothing wrong", async () => {
      const { lines, wrong } = await explain_file("compose", join(folder, file), {});
      assert.equal(wrong, 0, lines.join("\n"));
      assert.equal(lines.filter((line) => line.startsWith("service app-")).length, 2);
    });

    test("HAProxy takes what is in front", (t) => {
      if (!requires(t, "haproxy")) return;
      const env = { PATH: process.env.PATH, PORT: services.front?.environment?.PORT };
      const { status, stderr } = spawnSync("haproxy", ["-c", "-f", join(folder, "haproxy.cfg")], {
        encoding: "utf8",
        env,
      });
      assert.equal(status, 0, stderr);
    });
  });

test("the image is the one that is asked for, with leasehold in it", () => {
  const lines = read("Dockerfile")
    .split("\n")
    .filter((line) => line !== "");
  assert.deepEqual(
    lines.map((line) => line.split(" ")[0]),
    ["ARG", "FROM", "COPY", "STOPSIGNAL"],
  );
  for (const file of of_apps)
    assert.deepEqual(Object.keys(compose(file).services["app-a"]?.build?.args ?? {}), ["IMAGE"]);
});
