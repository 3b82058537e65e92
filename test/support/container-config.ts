import { docker_seccomp } from "./seccomp.ts";

export type ContainerConfig = {
  args: readonly string[];
  env?: Readonly<Record<string, string>>;
  cwd?: string;
  /** User and group id. Without it root, with the capabilities below. */
  user?: number;
  /** Such as "CAP_KILL". */
  drop?: readonly string[];
  add?: readonly string[];
  /** Docker's default profile, or none. */
  seccomp?: boolean;
  no_new_privileges?: boolean;
  /** The root can't be written to; then nothing can, but for /dev/shm and a tmpfs. */
  read_only?: boolean;
  /** A tmpfs at /tmp, from which nothing can be executed; otherwise /tmp is a folder of the root. */
  noexec_tmp?: boolean;
  /** Path in the container → path of this machine, read-only. */
  mounts?: Readonly<Record<string, string>>;
  /** The same, writable. */
  volumes?: Readonly<Record<string, string>>;
  /** Of one core. */
  cpu_percent?: number;
  pids_max?: number;
  /** Soft and hard limits. */
  limits?: { processes?: number; files?: number };
};

const capabilities = [
  "CAP_AUDIT_WRITE",
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_KILL",
  "CAP_MKNOD",
  "CAP_NET_BIND_SERVICE",
  "CAP_NET_RAW",
  "CAP_SETFCAP",
  "CAP_SETGID",
  "CAP_SETPCAP",
  "CAP_SETUID",
  "CAP_SYS_CHROOT",
];

const strict = ["nosuid", "noexec", "nodev"];

/** The OCI configuration, as Docker 20.10 writes it where no option says otherwise. */
export function config(id: string, options: ContainerConfig, terminal: boolean): object {
  const { drop = [], add = [], user = 0, limits = {}, cpu_percent, pids_max } = options;
  const held = [...capabilities.filter((name) => !drop.includes(name)), ...add];
  const bind = (writable: boolean, paths: Readonly<Record<string, string>> = {}): object[] =>
    Object.entries(paths).map(([destination, source]) => ({
      destination,
      source,
      type: "bind",
      options: ["rbind", "rprivate", writable ? "rw" : "ro"],
    }));
  const rlimit = (type: string, value: number | undefined): object[] =>
    value === undefined ? [] : [{ type, soft: value, hard: value }];

  return {
    ociVersion: "1.0.2",
    hostname: "container",
    process: {
      terminal,
      user: { uid: user, gid: user },
      args: options.args,
      env: Object.entries({
        PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ...options.env,
      }).map(([name, value]) => `${name}=${value}`),
      cwd: options.cwd ?? "/",
      capabilities: { bounding: held, effective: held, permitted: held },
      noNewPrivileges: options.no_new_privileges ?? false,
      rlimits: [...rlimit("RLIMIT_NPROC", limits.processes), ...rlimit("RLIMIT_NOFILE", limits.files)],
    },
    root: { path: "rootfs", readonly: options.read_only ?? false },
    mounts: [
      { destination: "/proc", type: "proc", source: "proc", options: strict },
      {
        destination: "/dev",
        type: "tmpfs",
        source: "tmpfs",
        options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
      },
      {
        destination: "/dev/pts",
        type: "devpts",
        source: "devpts",
        options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
      },
      { destination: "/sys", type: "sysfs", source: "sysfs", options: [...strict, "ro"] },
      { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: [...strict, "ro"] },
      { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: strict },
      {
        destination: "/dev/shm",
        type: "tmpfs",
        source: "shm",
        options: [...strict, "mode=1777", "size=67108864"],
      },
      ...(options.noexec_tmp === true
        ? [{ destination: "/tmp", type: "tmpfs", source: "tmpfs", options: [...strict, "mode=1777"] }]
        : []),
      ...bind(false, options.mounts),
      ...bind(true, options.volumes),
    ],
    linux: {
      cgroupsPath: `/${id}`,
      namespaces: ["mount", "uts", "pid", "ipc"].map((type) => ({ type })),
      ...(options.seccomp === false ? {} : { seccomp: docker_seccomp(held) }),
      resources: {
        devices: [
          { allow: false, access: "rwm" },
          ...[
            [1, 3],
            [1, 5],
            [1, 8],
            [1, 9],
            [5, 0],
            [5, 1],
          ].map(device),
        ],
        ...(cpu_percent === undefined ? {} : { cpu: { quota: cpu_percent * 1000, period: 100_000 } }),
        ...(pids_max === undefined ? {} : { pids: { limit: pids_max } }),
      },
      maskedPaths: [
        "/proc/asound",
        "/proc/acpi",
        "/proc/kcore",
        "/proc/keys",
        "/proc/latency_stats",
        "/proc/timer_list",
        "/proc/timer_stats",
        "/proc/sched_debug",
        "/proc/scsi",
        "/sys/firmware",
      ],
      readonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
    },
  };
}

function device([major, minor]: readonly number[]): object {
  return { allow: true, type: "c", major, minor, access: "rwm" };
}
