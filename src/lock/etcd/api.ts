/**
 * What the lock asks of etcd: requests of its v3 API, confirmed by a quorum. A request that got no answer throws LockUnknown
 * (it may have been applied, or may be applied later); what etcd refuses for good throws LockRefused.
 * gateway.ts is the real one, test/sim/etcd-model.ts the simulator's.
 */
export interface EtcdApi {
  /** A new lease. ttl_s: what was granted, which may be more or less than what was asked for. */
  grant(ttl_s: number): Promise<{ lease: bigint; ttl_s: number }>;
  /** The lease, and the keys on it, are gone when it resolves; also when it wasn't there. */
  revoke(lease: bigint): Promise<void>;
  /** What is left of the lease, 0: it is gone. A hint only: a deposed leader answers it, too. */
  keep_alive(lease: bigint): Promise<number>;
  /** All of `success` if every comparison holds, else all of `failure`, in one transaction. */
  txn(compare: Compare[], success: Operation[], failure: Operation[]): Promise<TxnAnswer>;
  /** Linearizable. prefix: all keys that begin with it. */
  range(key: string, options?: { prefix?: boolean }): Promise<{ kvs: KeyValue[]; revision: bigint }>;
  /** How many keys begin with it. */
  count(prefix: string): Promise<number>;
  /** Which keys begin with it. */
  keys(prefix: string): Promise<string[]>;
  /**
   * Events of one key after a revision, each one committed. Resolves when etcd or the abort ended it, which says nothing
   * about the key.
   */
  watch(
    key: string,
    after_revision: bigint,
    on_event: (event: WatchEvent) => void,
    abort: AbortSignal,
  ): Promise<void>;
  close(): void;
}

/** create 0: the key is not there. */
export type Compare = { key: string; target: "create" | "mod"; equals: bigint };
export type Operation =
  | { op: "put"; key: string; value: string; lease?: bigint }
  /** Keeps the value, and attaches the key to this lease. */
  | { op: "attach"; key: string; lease: bigint }
  | { op: "delete"; key: string }
  | { op: "get"; key: string };
export type KeyValue = {
  key: string;
  value: string;
  create_revision: bigint;
  mod_revision: bigint;
  lease: bigint;
};
/** gets: one entry for each `get`, in their order; undefined: the key is not there. */
export type TxnAnswer = { succeeded: boolean; revision: bigint; gets: (KeyValue | undefined)[] };
export type WatchEvent =
  | { type: "put"; kv: KeyValue }
  | { type: "delete"; key: string; mod_revision: bigint };
