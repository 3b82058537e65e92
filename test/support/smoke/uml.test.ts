import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { kernel_nfs, run_in_uml } from "../uml.ts";
import { all_processes } from "../processes.ts";

const nothing_left = () => {
  assert.deepEqual(
    all_processes().filter(({ comm }) => comm.startsWith("linux.uml")),
    [],
  );
  assert.deepEqual(
    readdirSync(tmpdir()).filter((name) => name.startsWith("leasehold-uml-")),
    [],
  );
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
  const { output, exit } = await run_in_uml({
    script: "echo a; setsid sleep 1000 & sleep 1000",
    timeout_ms: 6000,
  });
  assert.equal(exit, null);
  assert.equal(output, "a\n");
  nothing_left();
});

test("a process on a hard NFS mount outlives SIGKILL while the server is gone", async (t) => {
  const script = `${kernel_nfs}
nfs_start || exit 9
stat -f -c %T /mnt/nfs
mkfifo /run/go1 /run/go2
# Opened while the server is there, written to when it is gone.
sh -c 'read go </run/go1; exec dd if=/dev/zero bs=64k count=1 conv=fsync,notrunc 2>/dev/null' >/mnt/nfs/f1 & syncing=$!
sh -c 'read go </run/go2; echo written; exec sleep 1000' >/mnt/nfs/f2 & idle=$!
sleep 0.5
nfs_gone
echo >/run/go1
echo >/run/go2
sh -c ': >/mnt/nfs/f3' & late=$!
sleep 1
state() { for pid in $syncing $idle $late; do cut -d' ' -f2,3 /proc/$pid/stat 2>/dev/null || echo gone; done | paste -sd' '; }
echo "server gone: $(state)"
kill -KILL $syncing $idle $late
for second in 1 4 7; do sleep $second; echo "after SIGKILL: $(state)"; done
nfs_back
for pid in $syncing $idle $late; do wait $pid; echo "server back: $?"; done
`;
  const { output, exit, console } = await run_in_uml({ script, timeout_ms: 120_000 });
  t.diagnostic(output);
  assert.equal(exit, 0, console);
  assert.equal(output.match(/^after SIGKILL: \(dd\) D \(sleep\) D gone$/gm)?.length, 3);
  nothing_left();
});
