// The containers of the tests are as Docker makes them; otherwise test/e2e/container.test.ts would prove nothing.

import assert from "node:assert/strict";
import { test } from "node:test";
import { run_container } from "../container.ts";
import { requires } from "../requires.ts";

const show =
  "echo $$; id -u; grep -E 'Cap|Seccomp:|NoNew' /proc/self/status; cat; hostname x; unshare -U true; mount -t tmpfs x /tmp; touch /x; cp /bin/busybox /tmp/b; /tmp/b true; exit 9";

test("capabilities, profile, namespaces", async (t) => {
  if (!requires(t, "root", "runc", "busybox")) return;
  const { code, stdout, stderr } = await run_container(t, {
    args: ["sh", "-c", show],
    stdin: "in",
    timeout_ms: 20_000,
  });
  assert.equal(code, 9);
  const held = "00000000a80425fb";
  assert.equal(
    stdout,
    `1\n0\nCapInh:\t0000000000000000\nCapPrm:\t${held}\nCapEff:\t${held}\nCapBnd:\t${held}\nCapAmb:\t0000000000000000\nNoNewPrivs:\t0\nSeccomp:\t2\nin`,
  );
  assert.match(
    stderr,
    /sethostname: Operation not permitted[^]*unshare.*not permitted[^]*mount.*(denied|permitted)/,
  );
});

test("a user, fewer capabilities, a read-only root", async (t) => {
  if (!requires(t, "root", "runc", "busybox")) return;
  const { stdout, stderr } = await run_container(t, {
    args: ["sh", "-c", show],
    user: 1234,
    drop: ["CAP_KILL"],
    read_only: true,
    noexec_tmp: true,
    timeout_ms: 20_000,
  });
  assert.match(stdout, /1234\n[^]*CapEff:\t0000000000000000\nCapBnd:\t00000000a80425db\n/);
  assert.match(stderr, /x: Read-only file system[^]*b: Permission denied/);
});
