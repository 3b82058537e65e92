// The tarball for machines with systemd: unpacked, verified, and run, as examples/systemd/README.md says.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { stop_budget } from "../../src/cli/budget.ts";
import { settings_of } from "../../src/cli/deploy/settings.ts";
import { run_container } from "../support/container.ts";
import { payload_files } from "../support/payload.ts";
import { requires } from "../support/requires.ts";

const root = join(import.meta.dirname, "../..");
const unit = readFileSync(join(root, "examples/systemd/leasehold@.service"), "utf8");
const setting = (name: string): string => new RegExp(`^${name}=(.*)$`, "m").exec(unit)?.[1] ?? "";

test("what leasehold is told in the unit and its environment is read, and a stop fits", async () => {
  const lines = readFileSync(join(root, "examples/systemd/redis.env"), "utf8").split("\n");
  const environment = Object.fromEntries(
    lines.flatMap((line) => {
      const [, name = "", value = ""] = /^(\w+)=(.*)$/.exec(line) ?? [];
      return name === "" ? [] : [[name, value]];
    }),
  );
  const { APP: app = "", ...variables } = environment;
  const command = setting("ExecStart").replace("$APP", app).split(" ");
  const service = await settings_of({ where: "unit", command, environment: variables, node: "h" }, {});
  const { needed_s } = stop_budget(service.settings);
  assert.ok(needed_s <= Number(setting("TimeoutStopSec")));
  assert.ok(needed_s <= Number(setting("TimeoutAbortSec")));
  assert.deepEqual(service.settings.warnings, []);
});

test("the tarball is unpacked, systemd takes the unit, and what is in it runs", async (t) => {
  if (!requires(t, "root", "runc", "busybox", "patchelf", "strip", "musl-gcc", "systemd-analyze")) return;
  const folder = mkdtempSync(join(tmpdir(), "leasehold-tarball-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const at = execFileSync(process.execPath, [join(root, "tools/tarball.ts"), folder], { encoding: "utf8" });
  execFileSync("tar", ["-C", folder, "--no-same-owner", "-xzf", at.trim()]);
  assert.ok(existsSync(join(folder, "usr/share/doc/leasehold/examples/redis.env")));
  const path = join(folder, "usr/lib/systemd/system/leasehold@.service");
  const verify = (file: string) =>
    spawnSync("systemd-analyze", ["verify", "--recursive-errors=no", `--root=${folder}`, file], {
      encoding: "utf8",
    });
  const { status, stderr } = verify(path);
  assert.deepEqual([status, stderr], [0, ""]);
  writeFileSync(path, unit.replace("/opt/leasehold/leasehold run", "/opt/leasehold/leashold run"));
  assert.match(verify(path).stderr, /leashold is not executable/);
  const args = ["/opt/leasehold/leasehold", "run", "--lock", "memory:", "--", "busybox", "echo", "it runs"];
  const rootfs_files = payload_files(join(folder, "opt/leasehold"));
  const { code, stdout } = await run_container(t, { args, rootfs_files, timeout_ms: 30_000 });
  assert.deepEqual([code, stdout.trim()], [0, "it runs"]);
});
