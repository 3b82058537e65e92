import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { freezable_fs } from "../frozen-fs.ts";
import { read_process } from "../processes.ts";

test("a writer on a frozen file system outlives SIGKILL until the thaw", async (t) => {
  const start = performance.now();
  const fs = freezable_fs(t);
  t.diagnostic(`made in ${performance.now() - start} ms`);
  const writer = spawn("sh", ["-c", "read go; echo x >>f; sleep 1000"], {
    cwd: fs.path,
    stdio: ["pipe", "ignore", "inherit"],
  });
  const exit = new Promise<unknown>((resolve) => writer.on("close", (_, signal) => resolve(signal)));
  await sleep(100);
  fs.freeze();
  writer.stdin.write("go\n");
  await sleep(200);
  const state = () => read_process(writer.pid ?? 0)?.state;
  assert.equal(state(), "D");
  writer.kill("SIGKILL");
  for (let i = 0; i < 5; i++) {
    await sleep(400);
    assert.equal(state(), "D");
  }
  fs.thaw();
  assert.equal(await exit, "SIGKILL");
  const close = performance.now();
  await fs.close();
  t.diagnostic(`closed in ${performance.now() - close} ms`);
  assert.ok(!existsSync(fs.path));
  assert.doesNotMatch(spawnSync("losetup", ["-a"], { encoding: "utf8" }).stdout, /leasehold-frozen/);
});

test("a test process that is killed leaves no frozen file system behind", async () => {
  const program = `import { freezable_fs } from ${JSON.stringify(join(import.meta.dirname, "../frozen-fs.ts"))};
    const fs = freezable_fs({ after() {} }); fs.freeze(); console.log(fs.path); process.kill(process.pid, "SIGKILL");`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    encoding: "utf8",
  });
  const path = stdout.trim();
  assert.match(path, /leasehold-frozen/, stderr);
  for (let i = 0; existsSync(join(path, "..")); i++, await sleep(50)) assert.ok(i < 100);
});
