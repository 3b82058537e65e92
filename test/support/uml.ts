// A second kernel, User Mode Linux, which sees this machine's file tree read-only. What the machine's own kernel lacks
// runs there: NFS, NBD. Needs root and the Debian packages user-mode-linux, kmod, iproute2; for kernel_nfs also
// nfs-kernel-server, nfs-common and rpcbind.

import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { at_end } from "./at-end.ts";
import { compile_shared } from "./hand.ts";
import { descendants } from "./processes.ts";

const registers = compile_shared("test/fixtures/uml-registers.c");

export type UmlOptions = {
  /** The body of a shell script, run as root. Its stdin is empty; stdout and stderr are the result's output. */
  script: string;
  /** Name → content: executable files in the folder $FILES. */
  files?: Readonly<Record<string, string>>;
  env?: Readonly<Record<string, string>>;
  /** From the boot on; then everything there is killed. */
  timeout_ms: number;
  memory_mb?: number;
};

export type UmlResult = {
  /** What the script wrote. */
  output: string;
  /** The script's exit code; null when it didn't come to its end in time. */
  exit: number | null;
  /** All of the console: for a failed test's message. */
  console: string;
};

/**
 * Boots, runs the script, ends. Writable there are /run, /mnt, /dev/shm and /var/lib/nfs, each empty at first, and
 * TMPDIR lies in /run; all else is this machine's own tree, read-only: a stray write fails, and harms nothing.
 */
export async function run_in_uml(options: UmlOptions): Promise<UmlResult> {
  const folder = mkdtempSync(join(tmpdir(), "leasehold-uml-"));
  const remove = at_end('rm -rf "$1"', folder);
  try {
    // Folders of the same machine, seen by two kernels: the files are simply there.
    chmodSync(folder, 0o755);
    const mark = folder.replace(/.*-/, "lh-");
    const put = (name: string, content: string): string => {
      const path = join(folder, name);
      writeFileSync(path, content, { mode: 0o755 });
      return path;
    };
    for (const [name, content] of Object.entries(options.files ?? {})) put(name, content);
    const env = Object.entries({ FILES: folder, ...options.env });
    const exports = env
      .map(([name, value]) => `export ${name}='${value.replaceAll("'", "'\\''")}'\n`)
      .join("");
    const body = put(".body", `${exports}${options.script}\n`);
    const init = put(".init", init_script(mark, body));
    const text = await boot(folder, init, options.timeout_ms, options.memory_mb ?? 512);
    const begin = text.indexOf(`${mark} begin\n`);
    const end = new RegExp(`\n${mark} end (\\d+)\n`).exec(text);
    return {
      output: begin < 0 ? "" : text.slice(begin + mark.length + " begin\n".length, end?.index),
      exit: end ? Number(end[1]) : null,
      console: text,
    };
  } finally {
    await remove();
  }
}

/**
 * The kernel runs as the first process of a PID namespace, because it is many processes here, in groups of their own:
 * with the first all are gone. The death of this process ends them too.
 */
async function boot(folder: string, init: string, timeout_ms: number, memory_mb: number): Promise<string> {
  const kernel = [
    ...["env", `LD_PRELOAD=${registers}`, "linux.uml"],
    `mem=${memory_mb}M`,
    "rootfstype=hostfs",
    "rootflags=/",
    "ro",
    "quiet",
    "loglevel=0",
  ];
  const argv = [...kernel, `uml_dir=${folder}`, `init=${init}`, "con=null", "con0=fd:0,fd:1"];
  const wrapper = ["--pdeathsig", "KILL", "--", "unshare", "--pid", "--fork", "--kill-child", "--"];
  const child = spawn("setpriv", [...wrapper, ...argv], {
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  // The kernel itself: unshare then reaps it, and no zombie is left to whoever adopts it.
  const kill = (): void => {
    for (const { pid, ppid } of descendants(child.pid ?? 0))
      if (ppid === child.pid) process.kill(pid, "SIGKILL");
  };
  const timer = setTimeout(kill, timeout_ms);
  let text = "";
  let noise = "";
  child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  child.stderr.on("data", (chunk: Buffer) => (noise += chunk.toString("latin1")));
  try {
    await new Promise((resolve, reject) => child.on("close", resolve).on("error", reject));
  } finally {
    clearTimeout(timer);
  }
  return text === "" ? noise : text;
}

const init_script = (mark: string, body: string): string => `#!/bin/sh
export PATH=/run/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/run TMPDIR=/run/tmp TERM=dumb
stty raw -echo
mount -t proc proc /proc
mount -t sysfs sysfs /sys
for folder in /run /mnt /var/lib/nfs; do [ ! -d $folder ] || mount -t tmpfs tmpfs $folder; done
mkdir -p /dev/pts /dev/shm /run/tmp /run/lib/modules
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
ln -s /usr/lib/uml/modules/$(uname -r) /run/lib/modules/
mkdir /run/bin
# This kernel has no nf_tables.
ln -s /usr/sbin/iptables-legacy /run/bin/iptables
printf '#!/bin/sh\\nexec /sbin/modprobe -d /run "$@"\\n' >/run/modprobe
chmod 755 /run/modprobe
echo /run/modprobe >/proc/sys/kernel/modprobe
ip link set lo up
echo '${mark} begin'
sh '${body}' </dev/null 2>&1
printf '\\n${mark} end %s\\n' $?
# No sync, and nothing unmounted: both would wait for a server that is gone.
echo o >/proc/sysrq-trigger
sleep 60
`;

/**
 * Shell functions for a script's top. nfs_start: a kernel NFS server, /mnt/export, hard-mounted over NFSv3 at
 * /mnt/nfs. nfs_gone: the server goes away, nfs_back: and comes back.
 *
 * While it is gone, SIGKILL doesn't end a process that had opened a file for writing before and has unwritten data in
 * it, whatever it does: fsync, close, msync, truncate, unlock, or nothing at all, because its exit flushes. What is
 * opened only now can be killed: the open itself waits, killably.
 */
export const kernel_nfs = `
nfs_start() {
  for module in nfsd nfs nfsv3; do /run/modprobe $module || return; done
  mount -t nfsd nfsd /proc/fs/nfsd
  mkdir -p /run/rpcbind /var/lib/nfs/rpc_pipefs /var/lib/nfs/v4recovery /mnt/export /mnt/nfs
  : >/var/lib/nfs/etab
  : >/var/lib/nfs/rmtab
  rpcbind -w || return
  exportfs -o rw,fsid=1,no_root_squash,insecure,no_subtree_check 127.0.0.1:/mnt/export || return
  rpc.mountd 2>/dev/null || return
  rpc.nfsd 2 || return
  mount -t nfs -o vers=3,nolock,tcp,hard,timeo=10,retrans=1 127.0.0.1:/mnt/export /mnt/nfs
}
nfs_gone() { rpc.nfsd 0; }
nfs_back() { rpc.nfsd 2; }
`;
