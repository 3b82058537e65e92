// What the tests need from Debian, and why. As root, npm test installs what is missing; otherwise, and on other systems,
// the tests that need it are skipped and say so (test/support/requires.ts).

import { spawnSync } from "node:child_process";
import { globSync, rmSync, writeFileSync } from "node:fs";

/** name: what a test asks for. look: a command, or with a slash in it a pattern of files. */
const rows = [
  { name: "musl-gcc", package: "musl-tools", look: "musl-gcc", why: "the guard as it is shipped" },
  { name: "gcc", package: "gcc", look: "gcc", why: "sanitizers, analyzer" },
  { name: "libc", package: "libc6-dev", look: "/usr/include/stdio.h", why: "test programs in C" },
  { name: "g++", package: "g++", look: "g++", why: "the model of the volume lease" },
  { name: "spin", package: "spin", look: "spin", why: "the same in another checker" },
  { name: "clang", package: "clang", look: "clang", why: "fuzzing the frames" },
  {
    name: "libFuzzer",
    package: "libclang-rt-14-dev",
    look: "/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a",
    why: "fuzzing the frames",
  },
  { name: "haproxy", package: "haproxy", look: "haproxy", why: "the example with HAProxy" },
  { name: "patchelf", package: "patchelf", look: "patchelf", why: "the payload for containers" },
  { name: "strip", package: "binutils", look: "strip", why: "the payload for containers" },
  { name: "bash", package: "bash", look: "bash", why: "an app with job control" },
  { name: "busybox", package: "busybox-static", look: "busybox", why: "the guard in a container" },
  { name: "kmod", package: "kmod", look: "modprobe", why: "a hard NFS mount, inside uml" },
  { name: "runc", package: "runc", look: "runc", why: "the guard in a container" },
  { name: "podman", package: "podman", look: "podman", why: "official images' ways, in real containers" },
  { name: "buildah", package: "buildah", look: "buildah", why: "the Dockerfile, built" },
  { name: "mmdebstrap", package: "mmdebstrap", look: "mmdebstrap", why: "base images, without a registry" },
  { name: "uml", package: "user-mode-linux", look: "linux.uml", why: "a process that can't be killed" },
  { name: "nfsd", package: "nfs-kernel-server", look: "exportfs", why: "a hard NFS mount, inside uml" },
  { name: "mount.nfs", package: "nfs-common", look: "mount.nfs", why: "a hard NFS mount, inside uml" },
  { name: "rpcbind", package: "rpcbind", look: "rpcbind", why: "a hard NFS mount, inside uml" },
  { name: "nbd-server", package: "nbd-server", look: "nbd-server", why: "a disk to attach, inside uml" },
  { name: "nbd-client", package: "nbd-client", look: "nbd-client", why: "a disk to attach, inside uml" },
  { name: "smbd", package: "samba", look: "smbd", why: "a CIFS mount, inside uml" },
  { name: "mount.cifs", package: "cifs-utils", look: "mount.cifs", why: "a CIFS mount, inside uml" },
  { name: "glusterd", package: "glusterfs-server", look: "glusterd", why: "a GlusterFS volume" },
  {
    name: "mount.glusterfs",
    package: "glusterfs-client",
    look: "mount.glusterfs",
    why: "a GlusterFS volume",
  },
  { name: "mfsmaster", package: "moosefs-master", look: "mfsmaster", why: "a MooseFS volume" },
  {
    name: "mfschunkserver",
    package: "moosefs-chunkserver",
    look: "mfschunkserver",
    why: "a MooseFS volume",
  },
  { name: "mfsmount", package: "moosefs-client", look: "mfsmount", why: "a MooseFS volume" },
  { name: "unshare", package: "util-linux", look: "unshare", why: "PID 1 in a namespace of its own" },
  { name: "strace", package: "strace", look: "strace", why: "an app that is traced" },
  { name: "systemd-notify", package: "systemd", look: "systemd-notify", why: "a service of Type=notify" },
  { name: "systemd-analyze", package: "systemd", look: "systemd-analyze", why: "the unit of the tarball" },
  { name: "pkill", package: "procps", look: "pkill", why: "how operators kill by accident" },
  { name: "killall", package: "psmisc", look: "killall", why: "how operators kill by accident" },
  { name: "python3", package: "python3-minimal", look: "python3", why: "ignored signals, full pipes" },
  { name: "fsfreeze", package: "util-linux", look: "fsfreeze", why: "a process that can't be killed" },
  { name: "mkfs.ext4", package: "e2fsprogs", look: "mkfs.ext4", why: "a process that can't be killed" },
  { name: "mkfs.xfs", package: "xfsprogs", look: "mkfs.xfs", why: "a restore that is cut off on xfs" },
  { name: "bindfs", package: "bindfs", look: "bindfs", why: "a file system that hangs" },
  { name: "etcd", package: "etcd-server", look: "etcd", why: "the lock" },
  { name: "etcdctl", package: "etcd-client", look: "etcdctl", why: "what an operator does to the lock" },
  { name: "openssl", package: "openssl", look: "openssl", why: "certificates for the lock service" },
  {
    name: "zookeeper",
    package: "libzookeeper-java",
    look: "/usr/share/java/zookeeper.jar",
    why: "real ZooKeeper servers",
  },
  { name: "java", package: "default-jre-headless", look: "java", why: "real ZooKeeper servers" },
  {
    name: "kazoo",
    package: "python3-kazoo",
    look: "/usr/lib/python3/dist-packages/kazoo/client.py",
    why: "a plain wrapper, to compare with",
  },
  { name: "ip", package: "iproute2", look: "ip", why: "networks of their own" },
  { name: "iptables", package: "iptables", look: "iptables", why: "partitions of such a network" },
  {
    name: "iptables-legacy",
    package: "iptables",
    look: "iptables-legacy",
    why: "the same inside uml, whose kernel has no nf_tables",
  },
  { name: "setpriv", package: "util-linux", look: "setpriv", why: "an app as another user" },
  {
    name: "postgres",
    package: "postgresql-15",
    look: "/usr/lib/postgresql/15/bin/postgres",
    why: "a real database as the app",
  },
  { name: "redis-server", package: "redis-server", look: "redis-server", why: "a real database as the app" },
  { name: "mariadbd", package: "mariadb-server-core", look: "mariadbd", why: "a real database as the app" },
  {
    name: "mariadb-backup",
    package: "mariadb-backup",
    look: "mariadb-backup",
    why: "a database copied while it runs",
  },
  {
    name: "mariadb-dump",
    package: "mariadb-client",
    look: "mariadb-dump",
    why: "a database backed up as SQL",
  },
  { name: "restic", package: "restic", look: "restic", why: "a foreign store of backups" },
  { name: "redis-cli", package: "redis-tools", look: "redis-cli", why: "what a database has stored" },
  { name: "zstd", package: "zstd", look: "zstd", why: "what else reads a backup" },
] as const;

/** Of the long suites alone: too much to install for every run of npm test. */
const long_rows = [
  {
    name: "aarch64-linux-gnu-gcc",
    package: "gcc-aarch64-linux-gnu",
    look: "aarch64-linux-gnu-gcc",
    why: "the payload for arm64",
  },
  {
    name: "libc of arm64",
    package: "libc6-dev-arm64-cross",
    look: "/usr/aarch64-linux-gnu/lib/libc.a",
    why: "the payload for arm64",
  },
  {
    name: "qemu-system-aarch64",
    package: "qemu-system-arm",
    look: "qemu-system-aarch64",
    why: "a machine of arm64",
  },
  { name: "cpio", package: "cpio", look: "cpio", why: "a machine of arm64" },
] as const;

export type Tool = (typeof rows | typeof long_rows)[number]["name"];

const directories = [...new Set([...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/sbin"])];

/** Why a tool can't be used here, or null when it can. */
export function missing(tool: Tool): string | null {
  const row = [...rows, ...long_rows].find(({ name }) => name === tool);
  if (!row) throw new Error(`tools/debian.ts has no row for ${tool}`);
  const patterns = row.look.includes("/")
    ? [row.look]
    : directories.map((directory) => `${directory}/${row.look}`);
  return globSync(patterns).length > 0 ? null : `${tool} is missing (Debian package ${row.package})`;
}

/** Installs what is missing when it may; otherwise says what is. Tests decide for themselves what that means. */
export function ensure(long: boolean): void {
  const wanted = [...rows, ...(long ? long_rows : [])];
  const packages = [
    ...new Set(wanted.filter(({ name }) => missing(name) !== null).map((row) => row.package)),
  ];
  if (packages.length === 0) return;
  if (process.getuid?.() !== 0 || !apt("--version")) {
    console.log(`not installed, tests that need it are skipped: ${packages.join(" ")}`);
    return;
  }
  console.log(`apt-get install ${packages.join(" ")}`);
  const install = (): boolean => apt("install", "-y", "--no-install-recommends", ...packages);
  if (!apt("update") || !without_daemons(install)) {
    console.log("apt-get failed; tests that need these packages are skipped, or fail with CI=true");
  }
}

/** A file server that nobody asked for starts nowhere: Debian's packages ask this program before they start theirs. */
function without_daemons(install: () => boolean): boolean {
  const policy = "/usr/sbin/policy-rc.d";
  try {
    writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755, flag: "wx" });
  } catch {
    return install(); // the machine has a policy of its own
  }
  try {
    return install();
  } finally {
    rmSync(policy);
  }
}

function apt(...args: string[]): boolean {
  const options = ["-qq", "-o", "DPkg::Lock::Timeout=120", "-o", "Dpkg::Use-Pty=0"];
  const { status, stdout, stderr } = spawnSync("apt-get", [...options, ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    encoding: "utf8",
  });
  if (status !== 0) console.log(`${stdout}${stderr}`.trimEnd());
  return status === 0;
}

if (import.meta.main) ensure(process.argv.includes("--long"));
