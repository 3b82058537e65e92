import type { Proof } from "../core/lease.ts";
import type { Identity, LockRecord } from "../core/record.ts";
import type { Time } from "../core/time.ts";
import type { Operation } from "../guard/probe.ts";

/**
 * The port to a lock service: one lock, one contender. test/lock/contract.ts is its contract as tests, which every backend
 * passes. "No" is a value; "don't know" is LockUnknown, thrown; what retrying can't mend is LockRefused, thrown.
 * Nothing here decides that the lock is still held because nothing was heard.
 */
export interface Lock {
  /** For people: the URL without credentials. */
  readonly url: string;

  /**
   * Takes the lock if it is nobody's. If the last tenure ended clean, or there was none, the record (running) is written in the
   * same transaction. Otherwise it stays as it was found until mark(): whoever comes after us has to fence the same one. When an earlier call ended
   * in LockUnknown, it first finds out what became of it; a lock that that call took is taken here. A lock of a tenure that is over,
   * whose release had no answer, is given back first: no token is used twice.
   */
  take(): Promise<Taken | Busy>;

  /** The last holder needs no fencing any more: writes our record (running). LockUnknown: it may not be ours. May be called again. */
  mark(): Promise<void>;

  /**
   * A fresh proof that it is ours, confirmed by a quorum. LockUnknown: the earlier proofs still hold, for as long as
   * they say. One call at a time.
   */
  prove(): Promise<Proved | Lost>;

  /**
   * Gives it back, with this state in the record, in one transaction; as-found: the record stays as it is. failures: of the app, one
   * after the other; default: 0. Called only when the app is dead. Resolves when the lock service has confirmed that it is not ours
   * any more (also when it wasn't to begin with).
   */
  release(state: ReleaseState, failures?: number): Promise<void>;

  /** Resolves when the lock may be free, by a watch where there is one; a hint. Rejects with LockUnknown, or the abort's reason. */
  wait(abort: AbortSignal): Promise<void>;

  /** Who holds it and who stands by, as confirmed by a quorum. */
  look(): Promise<LockView>;

  /**
   * What the release program needs to do release() for a dead controller: JSON, with the credentials; it never touches a disk.
   * It may change with each answer, so it is read again after take(), mark() and each prove().
   */
  release_record(): string;

  /** The same as one operation of a probe, for which no release program has to be started. null, or left out: it isn't one. */
  release_operation?(): Operation | null;

  /** Ends its connections and takes its registration back. The lock itself isn't released. */
  close(): Promise<void>;
}

export type ReleaseState = "clean" | "unclean" | "as-found";

/**
 * token: the fencing token, which grows with every tenure of this lock, 64 bits. lock_token: the lock service's own, where that is
 * another one, because the token is the volume's claim number. previous: the record that was found.
 * previous_seen_ns: no proof of that holder's was asked for after this instant. null: there was none, or it was this instance,
 * which takes a lock only when its app is dead.
 */
export type Taken = {
  kind: "taken";
  token: bigint;
  lock_token?: bigint;
  proof: Proof;
  previous: LockRecord | null;
  previous_seen_ns: bigint | null;
};
export type Busy = { kind: "busy"; holder: LockRecord | null };
export type Proved = { kind: "proved"; proof: Proof };
/** Certainly not ours any more. because: one sentence for the log. */
export type Lost = { kind: "lost"; because: string };

export type Contender = { node: string; instance: string; address: string | null };
export type LockView = { holder: LockRecord | null; record: LockRecord | null; contenders: Contender[] };

export type LockOptions = {
  identity: Identity;
  /** The lease's length asked for; what is granted is in the proofs. */
  ttl_ms: number;
  /** How long one attempt may take. */
  attempt_ms: number;
  time: Time;
  /** The lock service told, unasked, that the lock is certainly not ours any more (the key was deleted). At most once a tenure. */
  on_lost: (because: string) => void;
  /** What an operator may want to know: another server is used, a TTL was clipped. One sentence. */
  on_note?: (sentence: string) => void;
  credentials?: Credentials;
  /** For what is left to chance; default: Math.random. */
  random?: () => number;
  /** Registers beside the lock, for status and discovery. Not for `status` itself. */
  register?: boolean;
  /** The volume that is the lock (file:), or the second witness. */
  volume?: VolumeWitness;
};

export type VolumeWitness = {
  path: string;
  /** null: whichever lies there at the first look. */
  id: string | null;
  /** A: how old what a read of it shows may be; 0 on a local file system. */
  view_age_ms: number;
  /** No other machine writes there unnoticed: a change is heard of at once. */
  local: boolean;
  /** Survives one rollback of the volume; each take-over then takes a whole lease. */
  paranoid?: boolean;
  /** The lock service can't be reached, or has given the lock to somebody: the volume's word is enough (hold), or not. */
  on_outage?: "stop" | "hold";
};

/** The files' contents, read by config/; never logged. */
export type Credentials = {
  user?: string;
  password?: string;
  /** PEM. */
  ca?: string;
  cert?: string;
  key?: string;
};
