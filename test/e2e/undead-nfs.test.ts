// G5 where it happens: a hard NFS mount whose server is gone, with the kernel's own client and server in User Mode Linux.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { guard } from "../support/hand.ts";
import { requires } from "../support/requires.ts";
import { kernel_nfs, run_in_uml } from "../support/uml.ts";

const root = join(import.meta.dirname, "../..");

test("a hard NFS mount, its server gone: undead again and again, empty only when it is back", async (t) => {
  if (!requires(t, "root", "uml", "nfsd", "mount.nfs", "rpcbind", "kmod", "ip", "unshare")) return;
  const { output, exit, console } = await run_in_uml({
    timeout_ms: 100_000,
    files: {
      writer: "exec >>/mnt/nfs/data\nwhile :; do echo line; sleep 0.02; done\n",
      controller: `#!/bin/sh\nexec ${root}/node_modules/node/bin/node ${root}/test/fixtures/controller.ts "$@"\n`,
    },
    script: `${kernel_nfs}
      has() { [ "$(grep -c '"event":"'$1'"' /run/report)" -ge "$2" ]; }
      wait_for() { i=0; until has "$1" "$2"; do i=$((i+1)); [ $i -lt 600 ] || { echo "no $1"; cat /run/report; exit 1; }; sleep 0.1; done; }
      nfs_start || exit 2
      : >/run/report
      ${guard} guard $FILES/controller --report /run/report --ttl 8000 --renew-for 0 -- sh $FILES/writer &
      guard=$!
      wait_for started 1
      sleep 1
      nfs_gone
      wait_for undead 2
      echo "empty while it is gone: $(grep -c '"event":"empty"' /run/report)"
      grep -m1 '"event":"undead"' /run/report
      nfs_back
      wait_for empty 1
      wait $guard
      echo "guard $?"
    `,
  });
  assert.equal(exit, 0, console);
  assert.match(output, /empty while it is gone: 0\n.*"state":"D"/);
  assert.match(output, /guard 137\n/);
});
