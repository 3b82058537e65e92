// Prefixes of a command line, each of which changes one thing about the process that the rest becomes. They combine
// from the outside in: [...pid_namespace(), ...read_only_root([folder]), ...unprivileged(), program, ...args]. But for
// pid_namespace(), whose unshare stays the parent, each becomes the next one under the same pid. All but
// no_new_privileges() and limits() need root; Debian packages util-linux, mount.

import { read_process, all_processes } from "./processes.ts";

/**
 * PID 1 of a PID namespace of its own, which sees its own /proc. The wrapper passes its exit code on (128 + N after
 * signal N), ignores SIGINT and SIGTERM, and kills it when it dies itself. See child_of for the pid out here.
 */
export function pid_namespace(): string[] {
  return ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--"];
}

/** The pid, out here, of what a wrapper such as pid_namespace() runs as its child; undefined until it is there. */
export function child_of(wrapper: number): number | undefined {
  const child = all_processes().find(({ ppid }) => ppid === wrapper);
  // Before its exec it still bears the wrapper's name.
  return child && child.comm !== read_process(wrapper)?.comm ? child.pid : undefined;
}

/** A read-only root file system, as of `docker run --read-only`: all of / but other mounts and these folders. */
export function read_only_root(writable: readonly string[] = []): string[] {
  return mounts(
    'while [ "$1" != -- ]; do mount --bind "$1" "$1" || exit 125; shift; done; shift; mount -o remount,bind,ro / || exit 125',
    ...writable,
    "--",
  );
}

/** From these folders nothing can be executed; their content stays visible. */
export function noexec(): string[] {
  // Not a folder that holds this project: its guard has to be executed.
  const folders = ["/tmp", "/var/tmp", "/dev/shm"].filter(
    (path) => !import.meta.dirname.startsWith(`${path}/`),
  );
  return mounts(
    'while [ "$1" != -- ]; do mount --bind "$1" "$1" && mount -o remount,bind,noexec "$1" || exit 125; shift; done; shift',
    ...folders,
    "--",
  );
}

/** /proc is an empty folder. */
export function no_proc(): string[] {
  // More than one may lie there: pid_namespace() mounts its own above.
  return mounts(
    "while umount --lazy --recursive /proc 2>/dev/null; do :; done; [ ! -e /proc/self ] || exit 125",
  );
}

/** A mount namespace in which the script has run; it shifts its own arguments away. */
function mounts(script: string, ...args: string[]): string[] {
  const shell = ["sh", "-c", `${script}; exec "$@"`, "mounts"];
  return ["unshare", "--mount", "--propagation", "private", "--", ...shell, ...args];
}

/**
 * Another user, with no group and no capability. RLIMIT_NPROC counts all processes of a user on the machine: take one
 * that nothing else runs as.
 */
export function unprivileged(uid = 65_534): string[] {
  return ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", "--"];
}

/** Root as far as it goes without these capabilities, such as "kill", "setuid". Nothing can get them back. */
export function without_capabilities(...names: readonly string[]): string[] {
  const less = names.map((name) => `-${name}`).join(",");
  return ["setpriv", `--inh-caps=${less}`, `--bounding-set=${less}`, "--"];
}

/** No set-uid program, and no file capability, has an effect. */
export function no_new_privileges(): string[] {
  return ["setpriv", "--no-new-privs", "--"];
}

/** Soft and hard limits. RLIMIT_NPROC doesn't bind root. */
export function limits(limit: { processes?: number; files?: number; core?: number }): string[] {
  const { processes, files, core } = limit;
  return [
    "prlimit",
    ...(processes === undefined ? [] : [`--nproc=${processes}`]),
    ...(files === undefined ? [] : [`--nofile=${files}`]),
    ...(core === undefined ? [] : [`--core=${core}`]),
    "--",
  ];
}
