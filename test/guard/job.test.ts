// Jobs and probes through the TypeScript client, against the real job guard.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Clock } from "../../src/guard/clock.ts";
import { type JobOptions, type JobResult, run_job } from "../../src/guard/job.ts";
import { run_probe } from "../../src/guard/probe.ts";
import { parse_dir, parse_probe } from "../../src/guard/probe-result.ts";
import { app, guard } from "../support/hand.ts";
import { freezable_fs } from "../support/frozen-fs.ts";
import { all_processes } from "../support/processes.ts";
import { requires } from "../support/requires.ts";

/** CLOCK_BOOTTIME to within a hundredth of a second, which is what /proc/uptime shows. */
const clock = new Clock();
clock.sample(BigInt(Math.round(Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]) * 1e9)));
const now_ns = (): bigint => clock.now_ns();
const within = (ms: number): bigint => now_ns() + BigInt(ms) * 1_000_000n;

const job = (command: string[], options: Partial<JobOptions> = {}): Promise<JobResult> =>
  run_job({ command, deadline_ns: within(20_000), now_ns, guard, ...options });

function scratch(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "leasehold-job-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

test("a job's exit code, signal, output and input come through", async () => {
  const { end, stdout, stderr } = await job(["sh", "-c", "cat; echo err >&2; exit 7"], { input: "in" });
  assert.deepEqual(
    { end, stdout: String(stdout), stderr: String(stderr) },
    {
      end: { how: "exit", value: 7 },
      stdout: "in",
      stderr: "err\n",
    },
  );
  assert.deepEqual((await job(["sh", "-c", "kill -USR1 $$"])).end, { how: "signal", value: 10 });
});

test("a command that can't be run is told by its errno", async () => {
  assert.deepEqual((await job(["/nowhere"])).end, { how: "not_executed", value: constants.errno.ENOENT });
  assert.deepEqual((await job(["/etc/passwd"])).end, { how: "not_executed", value: constants.errno.EACCES });
});

test("its environment: the controller's, less what is taken, plus what is set", async () => {
  const { stdout } = await job(["env"], { set: { A: "1\n2", PATH: "/bin:/usr/bin" }, unset: ["HOME"] });
  const text = String(stdout);
  assert.match(text, /^A=1\n2$/m);
  assert.match(text, /^PATH=\/bin:\/usr\/bin$/m);
  assert.doesNotMatch(text, /^HOME=/m);
});

test("at its deadline the whole tree of a job is killed", async () => {
  const mark = `mark-${process.pid}-${now_ns()}`;
  const { end } = await job([app, "ignore", "daemon", "child", "daemon"], {
    deadline_ns: within(300),
    set: { MARK: mark },
  });
  assert.deepEqual(end, { how: "killed", why: "deadline" });
  const left = all_processes().filter(({ pid, comm }) => comm === "app" && environ(pid).includes(mark));
  assert.deepEqual(left, []);
});

function environ(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1");
  } catch {
    return "";
  }
}

test("a deadline that has passed starts nothing", async (t) => {
  const file = join(scratch(t), "made");
  const { end } = await job(["touch", file], { deadline_ns: 1n });
  assert.deepEqual(end, { how: "killed", why: "deadline" });
  assert.throws(() => readFileSync(file));
});

test("an abort is a SIGTERM first, and SIGKILL after the grace", async () => {
  for (const [acts, expected] of [
    [["signals"], { how: "killed", why: "order" }],
    [["ignore", "say", "ready"], { how: "killed", why: "order" }],
  ] as const) {
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 300);
    const { end } = await job([app, ...acts], { abort: abort.signal, grace_ms: 300 });
    assert.deepEqual(end, expected);
  }
  const abort = new AbortController();
  setTimeout(() => abort.abort(), 300);
  const { end } = await job(["sh", "-c", "trap 'exit 4' TERM; while :; do sleep 0.05; done"], {
    abort: abort.signal,
  });
  assert.deepEqual(end, { how: "exit", value: 4 });
});

test("a job guard that is stopped is killed two seconds after the deadline", async () => {
  const before = new Set(all_processes().map(({ pid }) => pid));
  const started = job([app], { deadline_ns: within(800) });
  let stopped = false;
  while (!stopped) {
    const found = all_processes().find(({ comm, pid }) => comm === "lh-job" && !before.has(pid));
    if (found) process.kill(found.pid, "SIGSTOP");
    stopped = found !== undefined;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.deepEqual((await started).end, { how: "killed", why: "guard" });
});

test("what can't be killed is reported as undead after its deadline", async (t) => {
  if (!requires(t, "root", "fsfreeze")) return;
  const fs = freezable_fs(t);
  fs.freeze();
  const { end } = await job(["dd", "if=/dev/zero", `of=${fs.path}/data`, "count=1"], {
    deadline_ns: within(300),
  });
  fs.thaw();
  assert.equal(end.how, "undead");
});

test("what can't be killed keeps its job guard, however long, after an abort, too", async (t) => {
  if (!requires(t, "root", "fsfreeze")) return;
  const fs = freezable_fs(t);
  const before = new Set(all_processes().map(({ pid }) => pid));
  fs.freeze();
  const abort = new AbortController();
  setTimeout(() => abort.abort(), 300);
  const { end } = await job(["dd", "if=/dev/zero", `of=${fs.path}/data`, "count=1"], {
    abort: abort.signal,
    grace_ms: 0,
  });
  await new Promise((resolve) => setTimeout(resolve, 6000));
  const guards = all_processes().filter(
    ({ pid, comm, state }) => comm === "lh-job" && state !== "Z" && !before.has(pid),
  );
  fs.thaw();
  assert.equal(end.how, "undead");
  assert.equal(guards.length, 1);
});

// ---- the probe ----

const options = { deadline_ns: within(60_000), now_ns, guard };
const text = (content: string): Buffer => Buffer.from(content);

test("a beat in one probe: write, list, read back", async (t) => {
  const folder = scratch(t);
  const path = join(folder, "beat");
  writeFileSync(path, "an older and longer beat");
  const { end, results } = await run_probe(
    [
      { do: "write", path, content: text("beat 2") },
      { do: "list", path: folder, max: 10 },
      { do: "read", path, max: 100 },
      { do: "fs", path: folder },
      { do: "sync", path: folder },
    ],
    options,
  );
  assert.deepEqual(end, { how: "exit", value: 0 });
  assert.deepEqual(
    results.map(({ error }) => error),
    [undefined, undefined, undefined, undefined, undefined],
  );
  assert.equal(String(results[1]?.content), "beat\0");
  assert.equal(String(results[2]?.content), "beat 2er and longer beat"); // in place: a beat is one block of fixed size
  assert.match(String(results[3]?.content), /^type=0x[0-9a-f]+ bsize=\d+ .* kind=dir$/);
  const times = results.flatMap(({ start_ns, end_ns }) => [start_ns, end_ns]);
  assert.deepEqual(
    times,
    times.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)),
  );
});

test("a directory in one operation: its names, then what is in each file", async (t) => {
  const folder = scratch(t);
  for (const [name, content] of [
    ["a.beat", `one${"\0".repeat(4093)}`],
    ["b", ""],
    ["c", "x".repeat(5000)],
  ] as const)
    writeFileSync(join(folder, name), content);
  symlinkSync("/etc/passwd", join(folder, "link"));
  spawnSync("mkfifo", [join(folder, "fifo")]);
  const options = { deadline_ns: within(20_000), now_ns, guard };
  const look = async (max: number) =>
    (await run_probe([{ do: "dir", path: folder, max }], options)).results[0];
  const found = parse_dir((await look(5))?.content ?? Buffer.alloc(0));
  const told = (found ?? []).map(({ name, error, content }) => [name, error, String(content)]);
  assert.deepEqual(
    told.toSorted(([x = ""], [y = ""]) => (x < y ? -1 : 1)),
    [
      ["a.beat", undefined, "one"],
      ["b", undefined, ""],
      ["c", undefined, "x".repeat(4096)],
      // Nothing is followed, and nothing is waited for.
      ["fifo", undefined, ""],
      ["link", "ELOOP", ""],
    ],
  );
  const { error, step } = (await look(4)) ?? {};
  assert.deepEqual([error, step], ["EOVERFLOW", "limit"]);
});

test("a directory of a hundred thousand files is refused, not read", async (t) => {
  const folder = scratch(t);
  for (let n = 0; n < 100_000; n++) writeFileSync(join(folder, `${n}`), "");
  const options = { deadline_ns: within(20_000), now_ns, guard };
  const { results } = await run_probe([{ do: "dir", path: folder, max: 1000 }], options);
  assert.equal(results[0]?.error, "EOVERFLOW");
});

test("what `dir` found is told whole or not at all", () => {
  const whole = Buffer.from("a\u00000 2\u0000xyb\u000013 0\u0000");
  assert.deepEqual(parse_dir(whole), [
    { name: "a", error: undefined, content: Buffer.from("xy") },
    { name: "b", error: "EACCES", content: Buffer.alloc(0) },
  ]);
  for (const at of [1, 2, 3, 5, 6, 7, 9, 11])
    assert.equal(parse_dir(whole.subarray(0, at)), null, String(at));
});

test("a claim is made whole or not at all, and never overwritten", async (t) => {
  const folder = scratch(t);
  const path = join(folder, "1.claim");
  const create = (content: string) => ({
    do: "create" as const,
    temporary: join(folder, content),
    path,
    content: text(content),
  });
  assert.equal((await run_probe([create("mine")], options)).results[0]?.error, undefined);
  const second = (await run_probe([create("yours")], options)).results[0];
  assert.deepEqual([second?.error, second?.step], ["EEXIST", "link"]);
  assert.equal(readFileSync(path, "utf8"), "mine");
  assert.deepEqual(
    (await run_probe([{ do: "list", path: folder, max: 9 }], options)).results.map((r) => String(r.content)),
    ["1.claim\0"],
  );
});

test("it stops at the first failure and names the call", async (t) => {
  const folder = scratch(t);
  const { end, results } = await run_probe(
    [
      { do: "check", path: join(folder, "f"), content: text("x") },
      { do: "mkdir", path: join(folder, "d") },
      { do: "read", path: join(folder, "none"), max: 1 },
      { do: "unlink", path: join(folder, "f") },
    ],
    options,
  );
  assert.deepEqual(end, { how: "exit", value: 1 });
  assert.deepEqual(
    results.map(({ error, step }) => [error, step]),
    [
      [undefined, undefined],
      [undefined, undefined],
      ["ENOENT", "open"],
    ],
  );
  assert.equal(readFileSync(join(folder, "f"), "utf8"), "x");
});

test("a link in place of a file is not followed", async (t) => {
  const folder = scratch(t);
  writeFileSync(join(folder, "target"), "kept");
  symlinkSync("target", join(folder, "beat"));
  const { results } = await run_probe(
    [{ do: "write", path: join(folder, "beat"), content: text("x") }],
    options,
  );
  assert.equal(results[0]?.error, "ELOOP");
  assert.equal(readFileSync(join(folder, "target"), "utf8"), "kept");
});

test("a full file system is told as ENOSPC", async () => {
  const { results } = await run_probe([{ do: "write", path: "/dev/full", content: text("x") }], options);
  assert.equal(results[0]?.error, "ENOSPC");
});

test("results that are cut, garbled or out of order end where they can't be trusted", () => {
  const whole = Buffer.from("0 0 - 1 2 3\nabc1 28 write 3 4 0\n");
  assert.equal(parse_probe(whole).length, 2);
  assert.equal(parse_probe(whole).at(-1)?.error, "ENOSPC");
  for (let n = 0; n < whole.length; n++) assert.ok(parse_probe(whole.subarray(0, n)).length < 2);
  assert.deepEqual(parse_probe(Buffer.from("1 0 - 1 2 0\n")), []);
  assert.deepEqual(parse_probe(Buffer.from("noise\n0 0 - 1 2 0\n")), []);
});
