import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import pkg from "../../package.json" with { type: "json" };

const bin = join(import.meta.dirname, "../../bin/leasehold");

function leasehold(
  path: string,
  ...args: string[]
): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(path, args, { encoding: "utf8", cwd: "/", timeout: 20_000 });
  return { status, stdout, stderr };
}

test("bin/leasehold works from another directory and through a symbolic link", (t) => {
  const directory = mkdtempSync(join(realpathSync(tmpdir()), "leasehold-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const link = join(directory, "other-name");
  symlinkSync(bin, link);
  for (const path of [bin, link]) {
    assert.deepEqual(leasehold(path, "--version"), { status: 0, stdout: `${pkg.version}\n`, stderr: "" });
  }
});

test("--help comes from the bundle", () => {
  const { status, stdout } = leasehold(bin, "--help");
  assert.equal(status, 0);
  assert.match(stdout, /^Usage: leasehold /);
});

test("a reader of --help that goes away early is no defect", () => {
  const { stderr } = spawnSync("sh", ["-c", '"$0" --help | true', bin], { encoding: "utf8" });
  assert.equal(stderr, "");
});

test("a wrong command line is one sentence on standard error, exit code 64", () => {
  const { status, stdout, stderr } = leasehold(bin, "--hlep");
  assert.deepEqual({ status, stdout }, { status: 64, stdout: "" });
  assert.match(stderr, /^leasehold: unknown option '--hlep'; did you mean --help\?\n$/);
});

test("run, under the guard, says that it starts nothing, exit code 64", () => {
  const { status, stdout, stderr } = leasehold(bin, "run", "--lock", "zk://a/b", "--", "echo", "started");
  assert.deepEqual({ status, stdout }, { status: 64, stdout: "" });
  assert.match(stderr, /^leasehold: this version has the guard but no lock backend yet.*\n$/);
});
