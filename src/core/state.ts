import type { Proof } from "./lease.ts";
import type { LockRecord } from "./record.ts";
import type { Timing } from "./timing.ts";

/** What one contender is told to do; fixed for its life. */
export type Rules = {
  timing: Timing;
  stop_signal: number;
  when_busy: "wait" | "exit";
  /** From the beginning; null: for ever. */
  wait_timeout_ms: number | null;
  on_loss: "exit" | "standby";
  /** Which hooks there are, and what of the volume's work. */
  hooks: Record<
    "fence" | "attach" | "verify" | "restore" | "data" | "pre_start" | "backup" | "post_stop" | "lost",
    boolean
  >;
  /** Whether there is something to flush. */
  drains: boolean;
  /** From the app's start until it has to be ready. null: it isn't asked, and is ready as soon as it runs. */
  ready_timeout_ms: number | null;
  /** How often an app that fails is started again in the same tenure; 0: never. */
  restarts_max: number;
  boot_id: string;
};

/** One time of holding the lock, from the take-over to the release. Late answers are refused by its id. */
export type Tenure = {
  /** Grows with each take-over of this contender; the guard's tenure number. */
  id: bigint;
  /** The fencing token: the volume's claim number where there is a volume lease, else the lock's own. */
  token: bigint;
  lock_token: bigint;
  previous: LockRecord | null;
  /** Until then the last holder's app may live, if nobody deals with it: its lease may have been taken from it. null: it doesn't. */
  previous_until_ns: bigint | null;
  /** The proof that reaches furthest. */
  proof: Proof;
  /** When the renewal under way was asked for; null: none is. */
  asked_ns: bigint | null;
  /** When the next renewal is due. */
  renew_at_ns: bigint;
  /** Why the last renewals failed; null: the last one didn't. */
  trouble: string | null;
  /** false once it is certain that the lock is another's: nothing is asked or released any more. */
  ours: boolean;
  /** false once the guard has refused a deadline, or was told to close it: nothing runs under it any more. */
  open: boolean;
  /**
   * The record beside the lock is ours. Until then it is that of the one before, who did not end clean: whoever comes after us
   * has to fence the same one.
   */
  marked: boolean;
  /** An attach was begun: what it brought is taken away before the lock is given back. */
  attached: boolean;
  /**
   * This machine may hold writes to the volume that are not flushed: the app's, a hook's before it, or those of the tenure before,
   * which was on this machine and didn't end clean.
   */
  touched: boolean;
  /** Starts of the app after failures, since it last ran for a while. */
  restarts: number;
  /** When the app was started last; null: it wasn't. */
  started_ns: bigint | null;
};

/**
 * What is done beside the app, one at a time, in jobs: the user's hooks, and the volume's work, which comes and fails in the same
 * way. attach: fetches the device, checks and mounts it. verify: the right volume is mounted and works. restore: the data directory
 * gets its data, if it is to. data: the app's data directory is what its profile expects, without stale lock files. backup: the last
 * one, after a requested stop. detach: undoes the attach.
 */
export type Hook =
  | "fence"
  | "attach"
  | "verify"
  | "restore"
  | "data"
  | "pre-start"
  | "backup"
  | "post-stop"
  | "detach"
  | "lost";
/** How the app's main process ended. */
export type AppEnd = { how: "exit" | "signal" | "not_executed" | "not_forked"; value: number };

/** Why a tenure ends. The exit code follows from it. */
export type Ending =
  | { why: "app-ended" }
  | { why: "stop-requested"; signal: number }
  | { why: "lease-lost"; because: string }
  | { why: "volume-lost"; because: string }
  | { why: "hook-failed"; hook: Hook; because: string }
  | { why: "never-ready"; because: string }
  /** What the lock service granted can't be worked with. */
  | { why: "refused"; because: string }
  | { why: "guard"; because: string };

export type State =
  | Starting
  /** The lock is another's, or nobody could say. */
  | Contending
  /** The lock is ours, the app isn't started: the fence hook, then pre-start. */
  | Preparing
  /** The guard was ordered to start the app, or the app runs. */
  | Running
  /** The app is to end: it has got the stop signal, or is being killed. */
  | Stopping
  /** The app is dead: what it wrote is flushed. */
  | Draining
  /** The hook after the app's end; the lock is still held. */
  | PostStop
  | Releasing
  | Exited;

export type Starting = { at: "starting" };
export type Contending = {
  at: "contending";
  since_ns: bigint;
  /** taking: an attempt is under way. waiting: for the lock to be free. pausing: until retry_at_ns, after a failure. */
  step: "taking" | "waiting" | "pausing";
  retry_at_ns: bigint | null;
  failures: number;
  /** Of the last attempt, when nobody could say; newer: what was there is a newer leasehold's. */
  trouble: { because: string; newer: boolean } | null;
  holder: LockRecord | null;
  /** Of the tenure before this one; tenure ids go on from there. */
  last_id: bigint;
  /** When the waiting ends with an exit; null: never. */
  give_up_ns: bigint | null;
  /** A stop came while an attempt was under way: its answer is waited for, because it may have taken the lock. */
  quit: number | null;
};
/**
 * opening: the guard's word for the first deadline is waited for, because hooks run only under a live one. outwaiting: without
 * a fence hook, the rest of the lease that the last holder may still count on. marking: the record is being made ours. resting: the
 * app has failed, in this tenure or in those before, and is started after a pause; data and pre-start come after it.
 */
export type Preparing = {
  at: "preparing";
  tenure: Tenure;
  step:
    | "opening"
    | "fence"
    | "outwaiting"
    | "marking"
    | "attach"
    | "verify"
    | "restore"
    | "resting"
    | "data"
    | "pre-start";
  /** When the record is to be written again, after a failure; null: it isn't. */
  mark_at_ns: bigint | null;
  /**
   * The app has failed, and is started again then; how it ended, or null where that was in tenures before. null: there is no pause,
   * or it is over.
   */
  rest: { until_ns: bigint; end: AppEnd | null } | null;
};
export type Running = {
  at: "running";
  tenure: Tenure;
  pid: number | null;
  /** Why the app isn't ready; null: it is. */
  unready: string | null;
  /** Until then it has to be ready for the first time; null: it was, or nobody asks. */
  ready_by_ns: bigint | null;
};
export type Stopping = {
  at: "stopping";
  tenure: Tenure;
  ending: Ending;
  /** What has to be over first: the app, or a hook that ran before it. */
  awaited: "app" | "hook";
  end: AppEnd | null;
  /** SIGKILL then; null: it was ordered. */
  kill_at_ns: bigint | null;
  undead: string | null;
};
export type Draining = { at: "draining"; tenure: Tenure; ending: Ending; end: AppEnd | null };
export type PostStop = {
  at: "post-stop";
  tenure: Tenure;
  ending: Ending;
  end: AppEnd | null;
  clean: boolean;
  hook: "lost" | "backup" | "post-stop" | "detach";
};
export type Releasing = {
  at: "releasing";
  tenure: Tenure;
  ending: Ending;
  end: AppEnd | null;
  clean: boolean;
  /** Of the app, one after the other, for the record. */
  failures: number;
  /** The release is tried again until then. */
  until_ns: bigint;
  /** Why it failed last. */
  trouble: string | null;
  retry_at_ns: bigint | null;
};
export type Exited = { at: "exited"; code: number; because: string };
