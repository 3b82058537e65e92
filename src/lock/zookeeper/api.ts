/**
 * What the lock asks of ZooKeeper. One object is one TCP connection, which never reconnects by itself: what was asked on a
 * connection that breaks throws LockUnknown, and the next connection is the lock's decision.
 * session.ts is the real one, test/sim/zookeeper-model.ts the simulator's.
 */
export interface ZooKeeperApi {
  /** Opens a connection to the next server. With a session: re-attaches to it. on_sent: the ConnectRequest is about to be sent. */
  connect(options: ConnectOptions): Promise<Connected | SessionGone>;
}

export type Session = { id: bigint; password: Uint8Array };
export type ConnectOptions = {
  session?: Session;
  timeout_ms: number;
  on_sent: () => void;
  /** Watches that fired, and the connection's end (once, last). Unasked. */
  on_event: (event: ZooKeeperEvent) => void;
};
export type ZooKeeperEvent =
  | { type: "changed" | "deleted" | "created" | "children"; path: string }
  | { type: "down"; because: string };
/** The session is expired, or the password isn't its own: certain. */
export type SessionGone = { kind: "session-gone" };
export type Connected = { kind: "connected"; connection: ZooKeeperConnection };

/**
 * Answers are values, silence is LockUnknown after attempt_ms; LockRefused: authentication or permission.
 * Requests are answered in their order, also when they are sent without waiting: a read behind a write shows it.
 */
export interface ZooKeeperConnection {
  readonly session: Session;
  /** The timeout that the server granted, ms. */
  readonly negotiated_ms: number;
  readonly server: string;
  get(path: string): Promise<Node | "no-node">;
  children(path: string): Promise<string[] | "no-node">;
  /**
   * Whether it is there. With a watch, what happens next to it is told, once: "changes" its creation, change or end; "end" its
   * end only, if it is there.
   */
  exists(path: string, watch?: "changes" | "end"): Promise<Stat | "no-node">;
  set(path: string, data: string, version?: number): Promise<Stat | "no-node" | "bad-version">;
  /** All or nothing. The first operation that failed, or what was created. */
  multi(
    operations: ZooKeeperOperation[],
  ): Promise<"done" | { failed: number; why: "no-node" | "exists" | "bad-version" | "not-empty" }>;
  /** Ends the session: its ephemeral nodes are gone when this resolves. */
  close_session(): Promise<void>;
  /** Ends this connection only, without an event; the session lives on. */
  drop(): void;
}
export type ZooKeeperOperation =
  | { op: "create"; path: string; data: string; ephemeral: boolean }
  | { op: "set"; path: string; data: string; version?: number }
  | { op: "delete"; path: string; version?: number }
  | { op: "check"; path: string; version: number };
/** ephemeral_owner 0: a persistent node. czxid: the transaction that created it. children: how many it has. */
export type Stat = {
  czxid: bigint;
  mzxid: bigint;
  version: number;
  ephemeral_owner: bigint;
  children: number;
};
export type Node = { data: string; stat: Stat };
