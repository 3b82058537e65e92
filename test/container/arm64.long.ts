// The payload for arm64, on a whole emulated machine with Debian's kernel for it: one contender runs its app, its controller is killed, and
// the other one takes over. (User-mode emulation won't do: it has not all the system calls of the guard.)
//
//   npm run test:long -- container/arm64      # about three minutes; fetches 22 MB of Debian's kernel, and Node for arm64

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { requires } from "../support/requires.ts";

const root = join(import.meta.dirname, "../..");

/** What the machine does: no shell of ours, but busybox's. */
const init = `#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t tmpfs volume /volume
/bin/busybox --install -s /bin
export PATH=/bin
leasehold=/opt/leasehold/leasehold
echo "version: $($leasehold --version)"
$leasehold run --lock memory: -- sh -c 'echo "runs on $(uname -m)"; exit 7' 2>/dev/null
echo "code: $?"
$leasehold volume init /volume >/dev/null
contend() { $leasehold run --lock file:///volume --node $1 --ttl 30s -- sh -c "echo app of $1; sleep 1000" 2>/tmp/log-$1; echo "end of $1: $?"; }
# At most a minute and a half.
until_said() { for i in $(seq 90); do grep -q "$2" /tmp/log-$1 && return; sleep 1; done; cat /tmp/log-*; poweroff -f; }
contend a &
until_said a 'the app runs'
contend b &
until_said b 'the lock is held by a'
for process in /proc/[0-9]*; do
  tr '\\0' ' ' <$process/cmdline | grep -q 'leasehold.cjs run.*--node a ' && kill -9 \${process#/proc/}
done
until_said b 'the app runs'
cat /tmp/log-b
poweroff -f
`;

/** Debian's packages of the other architecture, unpacked; nothing of this system is changed. */
function fetch_foreign(folder: string, packages: readonly string[]): void {
  for (const one of ["lists/partial", "cache/archives/partial"])
    mkdirSync(join(folder, one), { recursive: true });
  const options = [
    "APT::Architectures::=arm64",
    `Dir::State::Lists=${folder}/lists`,
    `Dir::Cache=${folder}/cache`,
    "APT::Sandbox::User=root",
  ].flatMap((option) => ["-o", option]);
  const apt = (program: string, ...args: string[]): string =>
    execFileSync(program, [...options, ...args], {
      cwd: folder,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  apt("apt-get", "-qq", "update");
  const names = packages.map((name) => {
    const [, real] = /Depends: (linux-image-\d\S+)/.exec(apt("apt-cache", "depends", `${name}:arm64`)) ?? [];
    return real ?? `${name}:arm64`;
  });
  apt("apt-get", "-qq", "download", ...names);
  for (const file of globSync(join(folder, "*.deb")))
    execFileSync("dpkg", ["-x", file, join(folder, "root")]);
}

test("arm64: the payload's size, and two contenders on an emulated machine", (t) => {
  if (
    !requires(t, "root", "patchelf", "aarch64-linux-gnu-gcc", "libc of arm64", "qemu-system-aarch64", "cpio")
  )
    return;
  const folder = mkdtempSync(join(tmpdir(), "leasehold-arm64-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  fetch_foreign(folder, ["linux-image-cloud-arm64", "busybox-static"]);
  const machine = join(folder, "root");
  const payload = join(machine, "opt/leasehold");
  mkdirSync(join(machine, "opt"), { recursive: true });
  execFileSync(process.execPath, [join(root, "tools/payload.ts"), "--arch", "arm64", payload]);
  const files = globSync(`${payload}/**/*`).filter((path) => statSync(path).isFile());
  const bytes = files.reduce((sum, path) => sum + statSync(path).size, 0);
  const packed = Number(
    execFileSync("sh", ["-c", 'tar -C "$0" -c . | gzip -6 | wc -c', payload], { encoding: "utf8" }),
  );
  t.diagnostic(`on disk ${(bytes / 1e6).toFixed(1)} MB, compressed ${(packed / 1e6).toFixed(1)} MB`);
  assert.ok(bytes <= 120e6 && packed <= 45e6, `${bytes} ${packed}`);

  const [kernel = ""] = globSync(join(machine, "boot/vmlinuz-*"));
  cpSync(kernel, join(folder, "kernel"));
  for (const name of ["boot", "lib/modules", "usr"])
    rmSync(join(machine, name), { recursive: true, force: true });
  for (const name of ["proc", "dev", "tmp", "volume"]) mkdirSync(join(machine, name), { recursive: true });
  writeFileSync(join(machine, "init"), init);
  chmodSync(join(machine, "init"), 0o755);
  execFileSync("sh", ["-c", "find . | cpio -o -H newc --quiet >../image"], { cwd: machine });
  const emulated = spawnSync(
    "qemu-system-aarch64",
    [
      ...[
        "-M",
        "virt",
        "-cpu",
        "cortex-a72",
        "-smp",
        "2",
        "-m",
        "3072",
        "-nographic",
        "-nic",
        "none",
        "-no-reboot",
      ],
      ...["-kernel", join(folder, "kernel"), "-initrd", join(folder, "image")],
      ...["-append", "console=ttyAMA0 quiet panic=-1"],
    ],
    { encoding: "utf8", timeout: 600_000, killSignal: "SIGKILL" },
  );
  const said = emulated.stdout;
  for (const pattern of [
    /^version: \d+\.\d+\.\d+\r$/m,
    /^runs on aarch64\r$/m,
    /^code: 7\r$/m,
    /^app of a\r\n(?:.*\r\n)*end of a: 70\r\n(?:.*\r\n)*app of b\r$/m,
    /waiting: the lock is held by a/,
    /took the lock, token 2; a had it before, its end is clean/,
  ])
    assert.match(said, pattern, `${said}${emulated.stderr}`);
});
