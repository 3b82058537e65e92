// The wrappers of the tests do what they say; otherwise test/e2e/places.test.ts would prove nothing.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import * as ns from "../namespace.ts";
import { all_processes } from "../processes.ts";
import { requires } from "../requires.ts";

const run = (...argv: string[]) => {
  const { status, stdout, stderr } = spawnSync(argv[0] ?? "", argv.slice(1), { encoding: "utf8" });
  return { status, out: stdout + stderr };
};

test("is PID 1, known out here, dies with its wrapper", async (t) => {
  if (!requires(t, "root", "unshare")) return;
  const argv = [...ns.pid_namespace(), "sleep", "1000"];
  const child = spawn(argv[0] ?? "", argv.slice(1), { stdio: "inherit" });
  let pid: number | undefined;
  while ((pid = ns.child_of(child.pid ?? 0)) === undefined) await sleep(5);
  assert.match(readFileSync(`/proc/${pid}/status`, "utf8"), new RegExp(`NSpid:\t${pid}\t1\n`));
  child.kill("SIGKILL");
  while (all_processes().some((one) => one.pid === pid && one.state !== "Z")) await sleep(5);
  assert.deepEqual(run(...ns.pid_namespace(), "sh", "-c", "echo $$; exit 9"), { status: 9, out: "1\n" });
});

test("read-only root, writable folders", (t) => {
  if (!requires(t, "root", "unshare")) return;
  const { out } = run(
    ...ns.read_only_root(["/var/tmp"]),
    "sh",
    "-c",
    "exec 2>&1; touch /usr/x /var/tmp/leasehold-x; rm /var/tmp/leasehold-x; echo $?",
  );
  assert.match(out, /^touch: .*\/usr\/x.*Read-only file system\n0\n$/);
});

test("noexec, no /proc, together, with PID 1", (t) => {
  if (!requires(t, "root", "unshare")) return;
  const { out } = run(
    ...ns.pid_namespace(),
    ...ns.noexec(),
    ...ns.no_proc(),
    "sh",
    "-c",
    "exec 2>&1; cp /bin/true /var/tmp/leasehold-true; /var/tmp/leasehold-true; echo $?; rm /var/tmp/leasehold-true; ls -a /proc; echo $$",
  );
  assert.match(out, /Permission denied\n126\n\.\n\.\.\n1\n$/);
});

test("unprivileged, fewer capabilities, no new privileges, limits", (t) => {
  if (!requires(t, "root", "unshare")) return;
  const show = ["sh", "-c", "id -u; id -G; grep -E 'CapEff|CapBnd|NoNew' /proc/self/status"];
  const { out } = run(
    ...ns.unprivileged(64_001),
    ...ns.no_new_privileges(),
    ...ns.limits({ processes: 3, files: 8 }),
    "sh",
    "-c",
    "id -u; id -G; grep -E 'CapEff|NoNew' /proc/self/status; ulimit -n",
  );
  assert.equal(out, "64001\n64001\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\n8\n");
  const root = run(...ns.without_capabilities("kill", "setuid"), ...show).out;
  assert.match(root, /CapEff:\t[0-9a-f]*5f\nCapBnd:\t[0-9a-f]*5f\n/);
  const forks = run(
    ...ns.unprivileged(64_001),
    ...ns.limits({ processes: 1 }),
    "sh",
    "-c",
    "(true) ; true & true & echo no",
  );
  assert.match(forks.out, /fork/);
});
