/** What HTTP, `--termination-log` and the log tell of a contender. Nothing in it is secret. */
export type Status = {
  /** The state machine's: starting, contending, preparing, running, stopping, draining, releasing, standby, exit. */
  state: string;
  /** When it came into this state, for people (ISO 8601). */
  since: string;
  /** The sentence of the last transition. */
  because: string;
  version: string;
  node: string;
  instance: string;
  /** --advertise. */
  address: string | null;
  /** The lock, without credentials. */
  lock: string;
  /** We hold the lock. */
  leading: boolean;
  /** We hold the lock, the app runs, and with --ready it says that it is ready. */
  ready: boolean;
  /** Who holds the lock, as last heard; ourselves included. null: nobody, or not known. */
  holder: Leader | null;
  /** Our tenure's fencing token, decimal. null: we don't hold the lock. */
  token: string | null;
  /** Until the guard kills the app; negative when that instant has passed. null: no deadline is set. */
  deadline_in_ms: number | null;
  proofs: {
    ok: number;
    /** Attempts without an answer. */
    failed: number;
    /** How long the last one that worked took. null: none yet. */
    last_ms: number | null;
  };
  app: {
    starts: number;
    pid: number | null;
    /** Why it isn't ready. null: it is, or it doesn't run. */
    unready: string | null;
    /** From the last start until it was ready for the first time. null: it was not yet. */
    ready_after_ms: number | null;
  };
  losses: number;
  hooks: { ok: number; failed: number };
  /** As the last look at each found it. */
  volumes: readonly VolumeStatus[];
  /** How far a restore is; null: none is under way. */
  restoring: string | null;
  /** null: there is no data directory. */
  backup: BackupStatus | null;
  log: { dropped: number };
  /** The latest last; the supervisor bounds them. */
  history: readonly { at: string; because: string }[];
};

export type VolumeStatus = {
  path: string;
  id: string | null;
  /** ok, slow, hung, read-only, full, stale, gone, wrong or unlabelled. */
  verdict: string;
  because: string;
  free_bytes: number | null;
  /** How long the look took. */
  took_ms: number;
};

export type BackupStatus = {
  /** Of this process: those that were made, that failed, and that were left out because another still ran. */
  ok: number;
  failed: number;
  skipped: number;
  /** The last good one, whoever made it; id and bytes: null where a command stores them. null: none is known. */
  last: { id: string | null; at: string; bytes: number | null; took_ms: number } | null;
  /** Why the last attempt failed; null: it didn't. */
  failure: string | null;
  /** Why the last one that was made is not later than what was restored; null: it is, or nothing was restored. */
  not_advanced: string | null;
  /** What would be lost with the data now: since the last good one was begun. null: the app doesn't run. */
  at_risk_ms: number | null;
  /** null: none is scheduled. */
  next_in_ms: number | null;
  /** How far the one under way is. */
  progress: string | null;
};

export type Leader = { node: string; instance: string; address: string | null };

/** Whoever knows it: the supervisor. Each call gives what holds now. */
export interface StatusSource {
  status(): Status;
}
