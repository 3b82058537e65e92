// The one table of options. From it come the command line, the environment names, the keys of the file, `config schema`,
// and docs/options.md. Long because it is a table.

import { profile_names } from "./profiles/all.ts";

/** What a value is; values.ts reads each kind. */
type Kind =
  | "address"
  | "choice"
  | "duration"
  | "file"
  | "hook"
  | "listen"
  | "lock"
  | "name"
  | "number"
  | "ready"
  | "restart"
  | "secret"
  | "signal"
  | "text"
  | "volume";

export type Option = {
  kind: Kind;
  /** As help shows it; none for what the command line doesn't take. */
  placeholder?: string;
  choices?: readonly string[];
  /** Of a duration: the least that makes sense. */
  min_ms?: number;
  /** As the user would write it; "" when the default is none. What isn't a value follows from other options. */
  default: string;
  /** One line, for help. */
  meaning: string;
  /** What a wrong value costs, for docs/options.md. */
  why: string;
  /** Only there: a password in argv can be read by every process on the machine. */
  only?: "environment" | "flag or environment";
};

export const options = {
  lock: {
    kind: "lock",
    placeholder: "URL",
    default: "required",
    meaning: "URL: zk, zks, etcd, etcds or file",
    why: "All contenders of one app give the same URL. Several hosts are servers of one ensemble, tried in turn.",
  },
  node: {
    kind: "name",
    placeholder: "NAME",
    default: "the hostname",
    meaning: "this contender's name",
    why: "It stands in the record beside the lock. Two contenders of one name are still two: each run has an instance id.",
  },
  ttl: {
    kind: "duration",
    placeholder: "D",
    min_ms: 1,
    default: "30s",
    meaning: "the lease's length",
    why: "Only a lost machine makes others wait for it. Shorter: a faster take-over, less patience with the lock service.",
  },
  "loss-grace": {
    kind: "duration",
    placeholder: "D",
    default: "ttl/5, at most 5s",
    meaning: "of a dying lease, time for a graceful stop",
    why: "The stop signal comes so long before SIGKILL when the lease can't be renewed. 0 rides to the deadline.",
  },
  drain: {
    kind: "duration",
    placeholder: "D",
    default: "1s with a volume, else 0",
    meaning: "after the kill, time to flush writes",
    why: "What the kernel still holds of the dead app has to reach the storage before the lock may be another's.",
  },
  margin: {
    kind: "duration",
    placeholder: "D",
    default: "ttl/20, at least 500ms",
    meaning: "lateness of the kill that is allowed",
    why: "Too little on an overloaded machine, and the app may still run when the lease has ended.",
  },
  "stop-signal": {
    kind: "signal",
    placeholder: "S",
    default: "SIGTERM",
    meaning: "what asks the app to stop",
    why: "PostgreSQL's fast stop is SIGINT, systemd's SIGRTMIN+3.",
  },
  "stop-timeout": {
    kind: "duration",
    placeholder: "D",
    default: "20s",
    meaning: "of a requested stop: until SIGKILL",
    why: "With drain and release it has to fit into the orchestrator's own limit, else that one kills: see `leasehold explain`.",
  },
  "stop-scope": {
    kind: "choice",
    placeholder: "SCOPE",
    choices: ["main", "group"],
    default: "main",
    meaning: "who gets the stop signal: main or group",
    why: "A shell as main process passes no signal on; with group its children get it too.",
  },
  profile: {
    kind: "choice",
    placeholder: "NAME",
    choices: profile_names,
    default: "",
    meaning: "what is known of an app: mysql, postgres, …",
    why: "Gives stop signal, stop timeout and readiness check, and looks at the data directory under the lock; [profiles/](profiles/README.md). Other options beat it.",
  },
  ready: {
    kind: "ready",
    placeholder: "CHECK",
    default: "none",
    meaning: "how the app is asked whether it is ready",
    why: "tcp, http, https, postgres, mysql, redis or mongodb://HOST:PORT, or exec:COMMAND; [readiness.md](readiness.md). With none it is ready when it runs.",
  },
  "ready-timeout": {
    kind: "duration",
    placeholder: "D",
    min_ms: 1,
    default: "15m",
    meaning: "from the app's start until it has to be ready",
    why: "Then it is stopped, exit code 85. A database that recovers may need long, and begins anew when it is killed halfway.",
  },
  "ready-every": {
    kind: "duration",
    placeholder: "D",
    min_ms: 10,
    default: "5s",
    meaning: "from one question to the next, once it is ready",
    why: "Until it is ready it is asked every 250ms. Three failures in a row, and it isn't ready any more; nothing is done to it.",
  },
  "ready-limit": {
    kind: "duration",
    placeholder: "D",
    min_ms: 1,
    default: "2s",
    meaning: "how long one question may take",
    why: "Then it has failed; a command is killed with all that it started.",
  },
  restart: {
    kind: "restart",
    placeholder: "WHEN",
    default: "never",
    meaning: "the app failed: never or on-failure[:N]",
    why: "on-failure starts it again in the same tenure, after 1 s, 2 s, up to 30 s, N times at most; an app that ran for a minute is counted anew. never lets the orchestrator decide, and a standby take over.",
  },
  "when-busy": {
    kind: "choice",
    placeholder: "WHAT",
    choices: ["wait", "exit"],
    default: "wait",
    meaning: "the lock is another's: wait or exit",
    why: "exit (code 75) is for jobs that another machine is doing already.",
  },
  "wait-timeout": {
    kind: "duration",
    placeholder: "D",
    min_ms: 1,
    default: "",
    meaning: "how long to wait for the lock at most",
    why: "When it has passed, exit code 75.",
  },
  "on-loss": {
    kind: "choice",
    placeholder: "WHAT",
    choices: ["exit", "standby"],
    default: "exit",
    meaning: "after a loss: exit or standby",
    why: "exit (code 80) lets the orchestrator decide; standby contends again in the same process.",
  },
  volume: {
    kind: "volume",
    placeholder: "PATH[,…]",
    default: "",
    meaning: "what must be mounted, and work; repeatable",
    why: "The app starts only on the right volume, and is stopped when it is lost; [storage.md](storage.md) has the keys after PATH. In the variable `;` stands between volumes, in the file it is a text or a list.",
  },
  "volume-lease": {
    kind: "choice",
    placeholder: "on|off",
    choices: ["on", "off"],
    default: "on with a volume that isn't attached",
    meaning: "the volume vouches for who runs: on or off",
    why: "off is only for volumes that one machine alone can attach: then nothing but the lock protects the data.",
  },
  "on-outage": {
    kind: "choice",
    placeholder: "WHAT",
    choices: ["stop", "hold"],
    default: "stop",
    meaning: "no lock service in time: stop or hold",
    why: "hold goes on by the volume lease alone, for as long as the outage lasts; nobody else can start meanwhile.",
  },
  attach: {
    kind: "hook",
    placeholder: "CMD",
    default: "",
    meaning: "attaches the first volume's device",
    why: "Runs under the lock, before fsck and mount. It has to come back only when the device is there.",
  },
  detach: {
    kind: "hook",
    placeholder: "CMD",
    default: "",
    meaning: "undoes --attach, after the unmount",
    why: "Runs when the app is dead, before the release. When it fails the end isn't clean, and the next one fences.",
  },
  device: {
    kind: "text",
    placeholder: "PATH",
    default: "",
    meaning: "block device that is mounted at the volume",
    why: "With --fstype it makes fsck, mount and unmount built in. It may hold {node}, {slot} and {env:NAME}.",
  },
  fstype: {
    kind: "name",
    placeholder: "TYPE",
    default: "",
    meaning: "the file system on --device",
    why: "It decides on fsck: ext2 to ext4, vfat and f2fs are repaired as far as that is safe, others repair themselves at the mount.",
  },
  "mount-options": {
    kind: "name",
    placeholder: "OPTIONS",
    default: "",
    meaning: "for mounting --device, as mount -o takes them",
    why: "Only with --device; a command in --mount knows its own.",
  },
  fsck: {
    kind: "hook",
    placeholder: "CMD",
    default: "",
    meaning: "checks the device, in place of the built-in",
    why: "Exit codes are fsck's: 0 and 1 go on, all others refuse the start with 74.",
  },
  mount: {
    kind: "hook",
    placeholder: "CMD",
    default: "",
    meaning: "mounts the volume, in place of the built-in",
    why: "After it the volume's checks decide whether the right thing is there.",
  },
  unmount: {
    kind: "hook",
    placeholder: "CMD",
    default: "",
    meaning: "undoes the mount, in place of the built-in",
    why: "It must fail when it leaves the volume mounted: a lazy unmount would let the next one mount it beside ours.",
  },
  "attach-timeout": {
    kind: "duration",
    placeholder: "D",
    min_ms: 1,
    default: "60s",
    meaning: "for each of attach, mount, unmount, detach",
    why: "Then the step is killed with all that it started, and has failed.",
  },
  "fsck-timeout": {
    kind: "duration",
    placeholder: "D",
    min_ms: 1,
    default: "1h",
    meaning: "how long fsck may take",
    why: "Killing fsck halfway helps nobody: be generous. The lock is renewed meanwhile.",
  },
  fence: {
    kind: "hook",
    placeholder: "CMD",
    default: "",
    meaning: "hook: cuts the last holder off the storage",
    why: "Runs after the lock was taken and before the app starts, unless the last tenure ended clean. It fails: exit code 83.",
  },
  "pre-start": {
    kind: "hook",
    placeholder: "CMD",
    default: "",
    meaning: "hook: before each start of the app",
    why: "It fails: the app isn't started, exit code 84.",
  },
  "post-stop": {
    kind: "hook",
    placeholder: "CMD",
    default: "",
    meaning: "hook: when the app is dead, before the release",
    why: "The lock is still held then.",
  },
  lost: {
    kind: "hook",
    placeholder: "CMD",
    default: "",
    meaning: "hook: after a loss, when the app is dead",
    why: "For an alarm. It must not touch the volume: the lock may be another's.",
  },
  "hook-timeout": {
    kind: "duration",
    placeholder: "D",
    min_ms: 1,
    default: "60s",
    meaning: "how long a hook may take",
    why: "Then it is killed with all that it started, and has failed.",
  },
  data: {
    kind: "text",
    placeholder: "PATH",
    default: "",
    meaning: "the app's data directory, restored and backed up",
    why: "[restore.md](restore.md). A profile looks there, too. It may hold {node}, {slot} and {env:NAME}. Beside it, on the same file system, leasehold keeps a folder of its own.",
  },
  restore: {
    kind: "text",
    placeholder: "WHEN",
    default: "empty with --data and a source",
    meaning: "empty, behind, missing-marker, never, once:ID",
    why: "Under the lock, after the volume's checks and before pre-start. What was there before is kept, see --restore-keep.",
  },
  "restore-without": {
    kind: "choice",
    placeholder: "WHAT",
    choices: ["fail", "first-boot", "start-empty"],
    default: "first-boot",
    meaning: "no backup: fail, first-boot or start-empty",
    why: "first-boot starts the app with no data only if nobody has ever held the lock. A backup that can't be read is never none.",
  },
  "restore-fallback": {
    kind: "number",
    placeholder: "N",
    default: "0",
    meaning: "so many older backups may be tried",
    why: "When the newest can't be read. Each older one loses what was written since.",
  },
  "restore-with": {
    kind: "hook",
    placeholder: "CMD",
    default: "",
    meaning: "fills $LEASEHOLD_RESTORE_TARGET with the data",
    why: "From its own store, or from what was unpacked in $LEASEHOLD_RESTORE_SOURCE.",
  },
  "restore-check": {
    kind: "hook",
    placeholder: "CMD",
    default: "",
    meaning: "looks at $LEASEHOLD_RESTORE_TARGET",
    why: "Before it counts. It fails: nothing has happened to the data, exit code 82.",
  },
  "restore-timeout": {
    kind: "duration",
    placeholder: "D",
    min_ms: 1,
    default: "12h",
    meaning: "how long a restore may take",
    why: "Then it is killed, and has failed; the data is as it was. The lock is renewed meanwhile.",
  },
  "restore-keep": {
    kind: "duration",
    placeholder: "D",
    default: "1h",
    meaning: "how long what was there before stays",
    why: "Until the app was ready for so long without a break after the restore. It takes its room beside the new data.",
  },
  "backup-store": {
    kind: "text",
    placeholder: "PATH[,…]",
    default: "",
    meaning: "a directory on another storage, for backups",
    why: "It is checked as a volume is, with the same keys after PATH, and has to be labelled: leasehold volume init.",
  },
  "backup-name": {
    kind: "name",
    placeholder: "NAME",
    default: "the lock's path",
    meaning: "the app's folder in the store",
    why: "What is in it is this app's. Another app's backups are never restored.",
  },
  "backup-with": {
    kind: "hook",
    placeholder: "CMD",
    default: "",
    meaning: "fills $LEASEHOLD_BACKUP_TARGET with the data",
    why: "What an app has for that, such as pg_basebackup: files that an app is writing to can't be copied as they are.",
  },
  "backup-schedule": {
    kind: "text",
    placeholder: "WHEN",
    default: "",
    meaning: "while the app runs: every D, or a cron pattern",
    why: "15m, or `0 3 * * *` in the time zone of TZ. A duration counts from the last backup, whoever made it. One that would begin while another runs is left out.",
  },
  "backup-jitter": {
    kind: "duration",
    placeholder: "D",
    default: "0",
    meaning: "each begins later by up to this, at random",
    why: "So that many apps don't ask one store at the same moment.",
  },
  "backup-on-stop": {
    kind: "choice",
    placeholder: "on|off",
    choices: ["on", "off"],
    default: "off",
    meaning: "after a requested stop, a last backup: on, off",
    why: "When the app is dead and flushed, before post-stop and the release, within what is left of --stop-timeout. It fails: the log says so, nothing else.",
  },
  "backup-timeout": {
    kind: "duration",
    placeholder: "D",
    min_ms: 1,
    default: "6h",
    meaning: "how long a backup may take",
    why: "Then it is killed, and has failed. The app is not touched.",
  },
  "backup-keep": {
    kind: "number",
    placeholder: "N",
    default: "7",
    meaning: "so many backups are kept; 0: all",
    why: "Looked at after each backup. The newest good one always stays.",
  },
  "backup-keep-for": {
    kind: "duration",
    placeholder: "D",
    min_ms: 1,
    default: "",
    meaning: "backups older than this go",
    why: "By the time at which they were begun. The newest good one always stays.",
  },
  advertise: {
    kind: "address",
    placeholder: "ADDR",
    default: "",
    meaning: "the app's address, published for clients",
    why: "`leasehold leader` and `/leader` give it out. It is not checked whether anything answers there.",
  },
  listen: {
    kind: "listen",
    placeholder: "[ADDR:]PORT",
    default: "",
    meaning: "HTTP: health, leader, status and metrics",
    why: "Without an address 127.0.0.1. There is no password: give 0.0.0.0 only where the network is trusted.",
  },
  "lock-user": {
    kind: "name",
    placeholder: "NAME",
    default: "",
    meaning: "user at the lock service",
    why: "Needs a password: --lock-password-file or LEASEHOLD_LOCK_PASSWORD.",
  },
  "lock-password": {
    kind: "secret",
    default: "",
    meaning: "password at the lock service",
    why: "Only from the environment; a password in argv could be read by every process on the machine.",
    only: "environment",
  },
  "lock-password-file": {
    kind: "file",
    placeholder: "FILE",
    default: "",
    meaning: "password at the lock service, in a file",
    why: "The line end after the password doesn't count.",
  },
  "lock-ca-file": {
    kind: "file",
    placeholder: "FILE",
    default: "",
    meaning: "PEM: who signed the servers' certificates",
    why: "With etcds and zks. Without it the system's authorities count.",
  },
  "lock-cert-file": {
    kind: "file",
    placeholder: "FILE",
    default: "",
    meaning: "PEM: our certificate",
    why: "With etcds and zks, together with --lock-key-file.",
  },
  "lock-key-file": {
    kind: "file",
    placeholder: "FILE",
    default: "",
    meaning: "PEM: our certificate's private key",
    why: "With etcds and zks, together with --lock-cert-file.",
  },
  config: {
    kind: "file",
    placeholder: "FILE",
    default: "",
    meaning: "YAML file with any of these options",
    why: "Flags beat the environment, which beats the file.",
    only: "flag or environment",
  },
  "termination-log": {
    kind: "file",
    placeholder: "FILE",
    default: "",
    meaning: "where to write why leasehold ended",
    why: "One JSON object, at most 4 kB; in Kubernetes /dev/termination-log.",
  },
  "log-format": {
    kind: "choice",
    placeholder: "FORMAT",
    choices: ["pretty", "json"],
    default: "pretty on a terminal, else json",
    meaning: "pretty or json",
    why: "The log goes to standard error.",
  },
  "log-level": {
    kind: "choice",
    placeholder: "LEVEL",
    choices: ["error", "warn", "info", "debug"],
    default: "info",
    meaning: "error, warn, info or debug",
    why: "info has a line for each change of state, none for a renewal that worked.",
  },
} as const satisfies Readonly<Record<string, Option>>;

export type OptionName = keyof typeof options;

/** Sorted as in the table. */
export const option_names: readonly OptionName[] = Object.keys(options).filter(is_option);

export function option(name: OptionName): Option {
  return options[name];
}

export function is_option(name: string): name is OptionName {
  return Object.hasOwn(options, name);
}

/** stop-timeout → LEASEHOLD_STOP_TIMEOUT. */
export function environment_name(name: string): string {
  return `LEASEHOLD_${name.toUpperCase().replaceAll("-", "_")}`;
}

/** Where it may be given. */
export function takes(name: OptionName, place: "flag" | "environment" | "file"): boolean {
  const { only } = option(name);
  if (only === "environment") return place === "environment";
  return only === undefined || place !== "file";
}

/** Whether its value may be a list in the file. */
export function takes_list(name: OptionName): boolean {
  const { kind } = option(name);
  return kind === "hook" || kind === "volume";
}
