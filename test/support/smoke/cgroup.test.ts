import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, globSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { cgroup, cgroup_version } from "../cgroup.ts";
import { read_process } from "../processes.ts";

test("freezes, thaws, removes", async (t) => {
  t.diagnostic(`version ${cgroup_version}`);
  const begin = performance.now();
  const group = cgroup(t);
  t.diagnostic(`made in ${performance.now() - begin} ms`);
  const child = spawn("sh", ["-c", "while :; do :; done"], { stdio: "ignore" });
  const exit = new Promise((resolve) => child.on("close", (_, signal) => resolve(signal)));
  const pid = child.pid ?? 0;
  group.add(pid);
  assert.deepEqual(group.pids(), [pid]);
  const freeze = performance.now();
  await group.freeze();
  t.diagnostic(`frozen in ${performance.now() - freeze} ms`);
  const busy = process.cpuUsage();
  void busy;
  child.kill("SIGKILL");
  await sleep(300);
  t.diagnostic(`frozen, then SIGKILL: ${read_process(pid)?.state}`);
  group.thaw();
  assert.equal(await exit, "SIGKILL");
  await group.close();
  assert.deepEqual(globSync("/sys/fs/cgroup/**/leasehold-*"), []);
});

test("limits the CPU, and kills what is left in it", async (t) => {
  const group = cgroup(t, { cpu_percent: 20, pids_max: 20 });
  const child = spawn(
    group.prefix[0] ?? "",
    [...group.prefix.slice(1), "sh", "-c", "i=0; while [ $i -lt 10000000 ]; do i=$((i+1)); done"],
    { stdio: "inherit" },
  );
  const exit = new Promise((resolve) => child.on("close", (_, signal) => resolve(signal)));
  await sleep(1000);
  assert.deepEqual(group.pids(), [child.pid]);
  const { times, us } = group.throttled();
  t.diagnostic(`throttled ${times} times, ${us} us`);
  assert.ok(times >= 5 && us > 400_000);
  await group.freeze();
  await group.close();
  assert.equal(await exit, "SIGKILL");
});

test("limits the number of processes", async (t) => {
  const group = cgroup(t, { pids_max: 2 });
  const child = spawn(
    group.prefix[0] ?? "",
    [...group.prefix.slice(1), "sh", "-c", "sleep 9 & sleep 9 & sleep 9"],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let text = "";
  child.stderr.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const code = await new Promise((resolve) => child.on("exit", (code) => resolve(code)));
  assert.match(text, /fork/);
  assert.equal(code, 2);
  assert.ok(existsSync("/sys/fs/cgroup"));
});
