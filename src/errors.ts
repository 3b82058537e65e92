/** The exit codes that this version's controller gives; docs/exit-codes.md has the whole table. */
export const exitCodes = {
  usage: 64,
  unreachable: 69,
  defect: 70,
  volumeFailed: 74,
  busy: 75,
  config: 78,
  leaseLost: 80,
  volumeLost: 81,
  restoreFailed: 82,
  fenceFailed: 83,
  hookFailed: 84,
  neverReady: 85,
  undead: 86,
  jobKilled: 124,
} as const;

/**
 * A failure that a user can do something about: one class each, told apart by `code`, which stays the same across
 * versions. The message is one sentence that ends with the remedy.
 */
export abstract class Failure extends Error {
  abstract readonly code: string;
  abstract readonly exitCode: number;
  /** The value that was refused, as it was given. */
  readonly received: string;
  readonly remedy: string;

  constructor(what: string, received: string, remedy: string) {
    super(`${what}; ${remedy}`);
    this.name = new.target.name;
    this.received = received;
    this.remedy = remedy;
  }
}

/** The command line can't be understood. */
export class UsageError extends Failure {
  readonly code = "usage";
  readonly exitCode = exitCodes.usage;
}

/** The controller was started by hand, not by the guard. */
export class NotGuarded extends Failure {
  readonly code = "not-guarded";
  readonly exitCode = exitCodes.usage;

  constructor(fd: number) {
    super(`descriptor ${fd} is not the guard's socket`, String(fd), "start leasehold itself, not its bundle");
  }
}

/** The configuration can't work: a value, a file, or what the lock service says about them. */
export class ConfigError extends Failure {
  readonly code = "config";
  readonly exitCode = exitCodes.config;
}

/** The lock service refuses for a reason that trying again can't mend: wrong password, no permission, foreign data. */
export class LockRefused extends Failure {
  readonly code: string = "lock-refused";
  readonly exitCode = exitCodes.config;
}

/** What lies beside the lock is a newer leasehold's: it can't be read, so it can't be taken either. */
export class LockNewer extends LockRefused {
  override readonly code = "lock-newer";
}

/** Don't know: no answer in time, or none that proves anything. What was asked for may have happened. */
export class LockUnknown extends Failure {
  readonly code = "lock-unknown";
  readonly exitCode = exitCodes.unreachable;
}

/** What a check or a piece of work has said, as one sentence that ends with the remedy. */
abstract class Told extends Failure {
  /** because: what is wrong; what to do. */
  constructor(because: string, received: string) {
    const at = because.lastIndexOf("; ");
    super(because.slice(0, at), received, because.slice(at + 2));
  }
}

/** A volume isn't there, isn't the right one, or doesn't work. */
export class VolumeFailed extends Told {
  readonly code = "volume-failed";
  readonly exitCode = exitCodes.volumeFailed;
}

/** A restore, or a look at backups, came to nothing. */
export class RestoreFailed extends Told {
  readonly code = "restore-failed";
  readonly exitCode = exitCodes.restoreFailed;
}

/** A backup could not be made. */
export class BackupFailed extends Told {
  readonly code = "backup-failed";
  readonly exitCode = exitCodes.hookFailed;
}

/** The guard is dead, or what it says can't be understood: what the app does is not known. */
export class GuardLost extends Failure {
  readonly code = "guard-lost";
  readonly exitCode = exitCodes.defect;

  constructor(why: string) {
    super(`the guard's socket was lost: ${why}`, why, "the guard kills the app and the lease ends by itself");
  }
}

/** One sentence about what should never have been thrown, with the place, for the report. */
export function defect(error: unknown): string {
  const known = error instanceof Error;
  const place = known ? /\n {4}at (.*)/.exec(error.stack ?? "")?.[1] : undefined;
  const what = known ? `${error.name}: ${error.message}` : String(error);
  return `a defect of leasehold itself, please report it: ${what}${place ? ` at ${place}` : ""}`;
}
