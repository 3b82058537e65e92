// The code cache: used where it fits, and never believed where it doesn't.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import pkg from "../package.json" with { type: "json" };
import { load } from "../src/start.ts";

const dist = join(import.meta.dirname, "../dist");
const files = ["leasehold", "leasehold.cjs", "controller.js", "controller.cache"];

function installed(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "leasehold-start-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const name of files) copyFileSync(join(dist, name), join(folder, name));
  symlinkSync(process.execPath, join(folder, "node"));
  return folder;
}

/** Whether the controller there came from its cache; and that it works in any case. */
function from_cache(folder: string): boolean {
  const run = (...args: string[]) =>
    spawnSync(join(folder, "leasehold"), args, { encoding: "utf8", cwd: "/", timeout: 20_000 });
  const version = run("--version");
  assert.deepEqual([version.status, version.stdout, version.stderr], [0, `${pkg.version}\n`, ""]);
  const app = run("run", "--lock", "memory:", "--", "echo", "started");
  assert.deepEqual([app.status, app.stdout], [0, "started\n"]);
  return load(folder).from_cache;
}

test("the build's own cache fits, in a copy elsewhere as well", (t) => {
  assert.equal(load(dist).from_cache, true);
  assert.equal(from_cache(installed(t)), true);
});

test("what a start on etcd runs is in it: a function's texts are there once it was compiled", () => {
  const cache = readFileSync(join(dist, "controller.cache"));
  const texts = ["/v3/lease/grant", "released the lock"];
  assert.deepEqual(
    texts.filter((text) => !cache.includes(text)),
    [],
  );
  assert.ok(!cache.includes("the certificates for the lock service"), "what did not run is not");
});

const damages: Readonly<Record<string, (folder: string) => void>> = {
  "there is none": (folder) => rmSync(join(folder, "controller.cache")),
  "it is empty": (folder) => writeFileSync(join(folder, "controller.cache"), ""),
  "it was cut": (folder) => change(folder, "controller.cache", (bytes) => bytes.subarray(0, -1000)),
  "one bit of it is wrong": (folder) =>
    change(folder, "controller.cache", (bytes) => {
      const middle = bytes.length >> 1;
      bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
      return bytes;
    }),
  "it is another Node's": (folder) =>
    change(folder, "controller.cache", (bytes) => Buffer.concat([Buffer.from("9"), bytes])),
  "the controller is another one of the same length": (folder) =>
    change(folder, "controller.js", (bytes) =>
      Buffer.from(bytes.toString("latin1").replaceAll("took the lock", "TOOK THE LOCK"), "latin1"),
    ),
};
for (const [what, damage] of Object.entries(damages)) {
  test(`a cache is not used, and all works: ${what}`, (t) => {
    const folder = installed(t);
    damage(folder);
    assert.equal(from_cache(folder), false);
  });
}

test("under other flags V8 refuses the cache, and all works", () => {
  const flags = ["--no-lazy", join(dist, "leasehold.cjs"), "--version"];
  const { status, stdout, stderr } = spawnSync(process.execPath, flags, { encoding: "utf8" });
  assert.deepEqual([status, stdout, stderr], [0, `${pkg.version}\n`, ""]);
});

test("a start loads none of Node's modules that are dear and that it doesn't use", (t) => {
  const folder = installed(t);
  const [node, hook, list] = ["node", "hook.cjs", "list"].map((name) => join(folder, name));
  const tell = `require("fs").writeFileSync(${JSON.stringify(list)}, process.moduleLoadList.join("\\n"))`;
  writeFileSync(hook ?? "", `process.on("exit", () => ${tell})`);
  rmSync(node ?? "");
  writeFileSync(node ?? "", `#!/bin/sh\nexec ${process.execPath} --require ${hook} "$@"\n`, { mode: 0o755 });
  assert.equal(from_cache(folder), true);
  const loaded = readFileSync(list ?? "", "utf8").split("\n");
  assert.ok(loaded.includes("NativeModule net"));
  const dear = ["assert", "child_process", "crypto", "https", "tls", "worker_threads"];
  assert.deepEqual(
    dear.filter((name) => loaded.includes(`NativeModule ${name}`)),
    [],
    "process.getBuiltinModule() where it is used loads it when it is used",
  );
});

test("a package has all that dist/ needs, but for Node", () => {
  const { stdout } = spawnSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
    encoding: "utf8",
    cwd: join(dist, ".."),
  });
  const [pack] = JSON.parse(stdout) as { files: { path: string }[] }[];
  const packed = pack?.files.map(({ path }) => path) ?? [];
  assert.deepEqual(
    packed.filter((path) => path.startsWith("dist/")).toSorted(),
    files.map((name) => `dist/${name}`).toSorted(),
  );
});

function change(folder: string, name: string, how: (bytes: Buffer) => Uint8Array): void {
  const path = join(folder, name);
  writeFileSync(path, how(readFileSync(path)));
}
