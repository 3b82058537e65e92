import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { kernel_nfs, run_in_uml } from "../uml.ts";
import { all_processes } from "../processes.ts";

const nothing_left = () => {
  assert.deepEqual(all_processes().filter(({ comm }) => comm.startsWith("linux.uml")), []);
  assert.deepEqual(readdirSync(tmpdir()).filter((name) => name.startsWith("leasehold-uml-")), []);
};

test("runs a script in another kernel and hands its code and output back", async (t) => {
  const { output, exit, console } = await run_in_uml({
    script: 'uname -r; echo "$A"; $FILES/x; touch /etc/nothing; mktemp; "$NODE" -p 1+1; exit 7',
    files: { x: "#!/bin/sh\necho it is x\n" },
    env: { A: "it's a", NODE: process.execPath },
    timeout_ms: 60_000,
  });
  t.diagnostic(output);
  assert.equal(exit, 7, console);
  assert.match(output, /^6\.1\.\d+\nit's a\nit is x\n.*Read-only file system\n\/run\/tmp\/.*\n2\n$/);
  nothing_left();
});

test("is killed when its time is over", async () => {
  const { output, exit } = await run_in_uml({ script: "echo a; setsid sleep 1000 & sleep 1000", timeout_ms: 6000 });
  assert.equal(exit, null);
  assert.equal(output, "a\n");
  nothing_left();
});

test("a process on a hard NFS mount outlives SIGKILL while the server is gone", async (t) => {
  const script = `${kernel_nfs}
nfs_start || exit 9
stat -f -c %T /mnt/nfs
sleep 1000 3>/mnt/nfs/open & sleeper=$!
dd if=/dev/zero of=/mnt/nfs/f bs=4k count=1 conv=fsync 2>/dev/null || exit 8
nfs_gone
dd if=/dev/zero of=/mnt/nfs/f bs=4k count=1 conv=fsync,notrunc 2>/dev/null & writer=$!
sleep 1
state() { for i in 0 1; do cut -d' ' -f2,3 /proc/$1/stat | tr '\\n' ' '; shift; done; echo; }
echo "server gone: $(state $writer $sleeper)"
kill -KILL $writer $sleeper
for second in 1 4 8; do sleep $second; echo "after SIGKILL: $(state $writer $sleeper)"; done
nfs_back
wait $writer; echo "server back: $?"; wait $sleeper; echo "server back: $?"
`;
  const { output, exit, console } = await run_in_uml({ script, timeout_ms: 120_000 });
  t.diagnostic(output);
  assert.equal(exit, 0, console);
  assert.equal(output.match(/after SIGKILL: \(dd\) D/g)?.length, 3);
  nothing_left();
});
