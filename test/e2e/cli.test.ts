import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync } from "node:fs";
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

// The lock `memory:` is this process's own: nobody contends for it, and no server is needed.
const run = (...words: string[]): ReturnType<typeof leasehold> =>
  leasehold(bin, "run", "--lock", "memory:/a", "--log-format", "json", ...words);
const last_line = (stderr: string): Record<string, unknown> =>
  JSON.parse(stderr.trimEnd().split("\n").at(-1) ?? "") as Record<string, unknown>;

test("run: the app's output is its own, its exit code is leasehold's, and the last line of the log says why", () => {
  const { status, stdout, stderr } = run("--", "sh", "-c", "echo out; exit 7");
  assert.deepEqual({ status, stdout }, { status: 7, stdout: "out\n" });
  const { message, level, code } = last_line(stderr);
  assert.deepEqual([message, level, code], ["the app ended with code 7", "info", 7]);
  assert.match(stderr, /a memory: lock .* keeps nobody else from running/);
});

test("run: the app gets who it is, and nothing of leasehold's configuration", () => {
  const env = { PATH: process.env.PATH, LEASEHOLD_LOCK: "memory:/a", LEASEHOLD_NODE: "other", OWN: "1" };
  const args = ["run", "--node", "n", "--", "env"];
  const { stdout } = spawnSync(bin, args, { encoding: "utf8", env });
  const names = stdout.split("\n").map((line) => line.replace(/=.*/, ""));
  assert.ok(names.includes("OWN"));
  assert.deepEqual(names.filter((name) => name.startsWith("LEASEHOLD_")).toSorted(), [
    "LEASEHOLD_INSTANCE",
    "LEASEHOLD_LOCK_TOKEN",
    "LEASEHOLD_NODE",
    "LEASEHOLD_TOKEN",
  ]);
  assert.match(stdout, /^LEASEHOLD_NODE=n$/m);
});

test("run: a hook that fails, but for the fence, is exit code 84, and the log has its words", () => {
  const { status, stdout, stderr } = run("--pre-start", "echo no disk >&2; exit 3", "--", "echo", "started");
  assert.deepEqual({ status, stdout }, { status: 84, stdout: "" });
  const { message, level, code } = last_line(stderr);
  assert.equal(message, "the pre-start hook failed: it ended with code 3; it said: no disk");
  assert.deepEqual([level, code], ["error", 84]);

  const after = run("--post-stop", "exit 4", "--", "true");
  assert.equal(after.status, 84);
  assert.match(String(last_line(after.stderr).message), /^the post-stop hook failed: it ended with code 4/);
});

test("run: a command that isn't there is 127", () => {
  const { status, stderr } = run("--", "/no/such/command");
  assert.equal(status, 127);
  assert.equal(last_line(stderr).message, "the app was not found");
});

test("run: --termination-log has why it ended", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "leasehold-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, "termination");
  run("--termination-log", file, "--", "sh", "-c", "exit 7");
  const { code, because, token } = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  assert.deepEqual([code, because, token], [7, "the app ended with code 7", "1"]);
});

test("run: wrong options are one sentence and start nothing, also where the guard has started already", () => {
  const { status, stdout, stderr } = leasehold(bin, "run", "--lok", "memory:/a", "--", "echo", "started");
  assert.deepEqual({ status, stdout }, { status: 64, stdout: "" });
  assert.equal(stderr, "leasehold: unknown option '--lok'; did you mean --lock?\n");
  const file = leasehold(bin, "run", "--lock", "file:///nowhere/volume", "--", "echo", "started");
  assert.deepEqual([file.status, file.stdout], [74, ""]);
  const remedy =
    /^the volume "\/nowhere\/volume" doesn't exist, or is a link that leads nowhere \(ENOENT\); mount it$/;
  assert.match(String(last_line(file.stderr).message), remedy);
  const listen = run("--listen", "192.0.2.1:80", "--", "echo", "started");
  assert.deepEqual([listen.status, listen.stdout], [78, ""]);
  const address = /^--listen: 192\.0\.2\.1 port 80 can't be listened on .*; give another address or port$/;
  assert.match(String(last_line(listen.stderr).message), address);
});

test("the bundle alone is no leasehold: run wants its guard", () => {
  const bundle = join(import.meta.dirname, "../../dist/leasehold.cjs");
  const args = [bundle, "run", "--lock", "memory:/a", "--", "echo", "started"];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", timeout: 20_000 });
  assert.deepEqual({ status, stdout }, { status: 64, stdout: "" });
  assert.match(
    stderr,
    /^leasehold: descriptor 3 is not the guard's socket; start leasehold itself, not its bundle$/m,
  );
});
