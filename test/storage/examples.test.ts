// The examples' files: their configuration is read, their scripts run against stubs of the tools that they call.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  globSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { load_config } from "../../src/config/load.ts";

const examples = join(import.meta.dirname, "../../examples");

const files = globSync("*/{leasehold,dump}.yaml", { cwd: examples });

test("there are examples", () => assert.ok(files.length >= 7, files.join()));

for (const file of files) {
  test(`examples/${file} is a configuration`, async () => {
    const config = await load_config({ config: join(examples, file), node: "db-0" }, {});
    // On a volume; or, with a disk of its own on each node, restored from elsewhere when it has fallen behind.
    if (file.startsWith("attach-nbd/")) assert.equal(config.volumes.length, 1);
    else {
      assert.deepEqual(config.volumes, []);
      assert.ok(config.data && (config.data.store || config.data.restore.load), "nothing to restore from");
    }
    assert.deepEqual(config.warnings, []);
  });
}

// ---- examples/fencing ----

type Run = { code: number | null; calls: string[]; stderr: string };

/**
 * Runs a script with the tools that it calls replaced by one that notes its words and then does `stub`, a shell script that knows $tool, the
 * words, and a scratch folder $state.
 */
function fence(
  t: TestContext,
  script: string,
  stub: string,
  env: Record<string, string> = {},
  ...args: string[]
): Run {
  const folder = mkdtempSync(join(tmpdir(), "leasehold-fence-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const nodes = join(folder, "nodes");
  writeFileSync(nodes, "db1 10.0.0.1\ndb2 0xb2\ntwice a\ntwice b\n");
  for (const tool of ["ceph", "sg_persist", "ssh", "ipmitool", "aws", "sleep"]) {
    const file = join(folder, tool);
    writeFileSync(
      file,
      `#!/bin/sh\ntool=${tool} state=${folder}\necho "$tool $*" >> ${folder}/calls\n${stub}\n`,
    );
    chmodSync(file, 0o755);
  }
  const { status, stderr } = spawnSync(join(examples, "fencing", script), args, {
    encoding: "utf8",
    env: {
      PATH: `${folder}:/usr/bin:/bin`,
      LEASEHOLD_FENCE_NODES: nodes,
      LEASEHOLD_FENCE_HOLDER: "db1",
      LEASEHOLD_FENCE_SAME_BOOT: "0",
      FENCE_DEVICE: "/dev/sdx",
      FENCE_NODE: "db2",
      FENCE_SERVER: "nas1",
      FENCE_EXPORT: "/srv/shop",
      FENCE_IPMI_USER: "u",
      FENCE_IPMI_PASSWORD_FILE: "/p",
      FENCE_TURNS: "3",
      ...env,
    },
  });
  const calls = existsSync(join(folder, "calls"))
    ? readFileSync(join(folder, "calls"), "utf8").trimEnd().split("\n")
    : [];
  return { code: status, calls, stderr };
}

const exports = 'case "$*" in *" cat "*) echo "/srv/shop 10.0.0.1(rw,sync) 10.0.0.3(rw)";;';
const connections =
  'served=\'ESTAB 0 0 10.0.0.9:10809 10.0.0.1:3 users:(("nbd-server",pid=77,fd=4))\'; case "$*" in *" id -u") echo 0;;';

/** For each: a stub where all goes well, one where the tool says yes and nothing has happened, and the call that cuts off. */
const scripts: readonly (readonly [script: string, well: string, lie: string, call: string])[] = [
  [
    "ceph-blocklist.sh",
    '[ "$3" != ls ] || echo "10.0.0.1:0/0 2026-11-25"',
    "true",
    "ceph osd blocklist add 10.0.0.1:0/0 86400",
  ],
  [
    "scsi-reservation.sh",
    'case "$*" in *--read-keys*) echo "    0xb2"; [ -e $state/gone ] || echo "    10.0.0.1";; *--read-reservation*) echo "type: Write Exclusive, registrants only";; *--preempt*) touch $state/gone;; esac',
    'case "$*" in *--read-keys*) echo "    0xb2"; echo "    10.0.0.1";; *--read-reservation*) echo "type: Write Exclusive, registrants only";; esac',
    "sg_persist --out --preempt-abort --param-rk=0xb2 --param-sark=10.0.0.1 --prout-type=5 /dev/sdx",
  ],
  [
    "nfs-export.sh",
    `${exports} *" -s") echo "/srv/shop  10.0.0.3(rw)"; [ -e $state/gone ] || echo "/srv/shop  10.0.0.1(rw,sync)";; *" -u "*) touch $state/gone;; esac`,
    `${exports} *" -s") echo "/srv/shop  10.0.0.1(rw,sync)";; esac`,
    "ssh -o BatchMode=yes -o ConnectTimeout=10 nas1 exportfs -u 10.0.0.1:/srv/shop",
  ],
  [
    "nbd-server.sh",
    `${connections} *" ss "*) [ -e $state/gone ] || echo "$served";; *" kill "*) touch $state/gone;; esac`,
    `${connections} *" ss "*) echo "$served";; esac`,
    "ssh -o BatchMode=yes -o ConnectTimeout=10 nas1 kill -9 77",
  ],
  [
    "power-off-ipmi.sh",
    'case "$*" in *status) echo "Chassis Power is off";; esac',
    'case "$*" in *status) echo "Chassis Power is on";; esac',
    "ipmitool -I lanplus -H 10.0.0.1 -U u -f /p chassis power off",
  ],
  [
    "power-off-aws.sh",
    'case "$*" in *describe*) echo stopped;; esac',
    'case "$*" in *describe*) echo running;; esac',
    "aws ec2 stop-instances --force --instance-ids 10.0.0.1",
  ],
];

test("every fencing script is among those that are tried", () => {
  const files = readdirSync(join(examples, "fencing")).filter(
    (file) => file.endsWith(".sh") && file !== "common.sh",
  );
  assert.deepEqual(files.toSorted(), scripts.map(([script]) => script).toSorted());
});

for (const [script, well, lie, call] of scripts) {
  test(`examples/fencing/${script} cuts off, and succeeds only when it has seen that`, (t) => {
    const good = fence(t, script, well);
    assert.equal(good.code, 0, good.stderr);
    assert.ok(good.calls.includes(call), good.calls.join("\n"));
    assert.notEqual(fence(t, script, lie).code, 0, "the tool said yes, and nothing had happened");
    assert.notEqual(fence(t, script, "exit 1").code, 0, "the tool failed");
  });

  test(`examples/fencing/${script} cuts nobody off whom it doesn't know, and never its own machine`, (t) => {
    for (const LEASEHOLD_FENCE_HOLDER of ["db3", "twice", "", "db1; reboot", ".*"]) {
      const { code, calls } = fence(t, script, well, { LEASEHOLD_FENCE_HOLDER });
      assert.notEqual(code, 0);
      assert.deepEqual(calls, []);
    }
    const same = fence(t, script, well, { LEASEHOLD_FENCE_SAME_BOOT: "1" });
    assert.deepEqual([same.code, same.calls], [1, []]);
    const trusted = fence(t, script, well, { LEASEHOLD_FENCE_SAME_BOOT: "1", FENCE_SAME_BOOT: "trust" });
    assert.deepEqual([trusted.code, trusted.calls], [0, []]);
  });
}

test("a SCSI registration before the start takes nobody's away", (t) => {
  const [, well = ""] = scripts.find(([script]) => script === "scsi-reservation.sh") ?? [];
  const { code, calls, stderr } = fence(t, "scsi-reservation.sh", well, {}, "register");
  assert.equal(code, 0, stderr);
  assert.ok(calls.includes("sg_persist --out --register-ignore --param-sark=0xb2 /dev/sdx"));
  assert.ok(!calls.some((call) => call.includes("preempt")));
});

test("an NFS export to a network, or to the client by another name, is not taken for withdrawn", (t) => {
  const network = fence(t, "nfs-export.sh", `${exports} *" -s") echo "/srv/shop  10.0.0.0/24(rw)";; esac`);
  assert.match(network.stderr, /exported to a network or pattern/);
  const named = fence(t, "nfs-export.sh", 'case "$*" in *" cat "*) echo "/srv/shop db1.local(rw)";; esac');
  assert.match(
    named.stderr,
    /doesn't name 10\.0\.0\.1 for \/srv\/shop: is it exported to it by another name\?/,
  );
  // The server goes away just before the last look at it.
  const lost = fence(
    t,
    "nfs-export.sh",
    `[ ! -e $state/gone ] || exit 255; ${exports} *" -f") touch $state/gone;; esac`,
  );
  assert.match(lost.stderr, /nas1 does not answer/);
  assert.deepEqual([network.code, named.code, lost.code], [1, 1, 1]);
});
