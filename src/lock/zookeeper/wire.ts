import jute from "node-zookeeper-client/lib/jute/index.js";
import type { ConnectOptions, Session, Stat, ZooKeeperEvent, ZooKeeperOperation } from "./api.ts";

/** ZooKeeper's messages as bytes and back, by the records of npm node-zookeeper-client. */

const op = {
  create: 1,
  delete: 2,
  exists: 3,
  get_data: 4,
  set_data: 5,
  ping: 11,
  get_children2: 12,
  check: 13,
  multi: 14,
  auth: 100,
  close_session: -11,
} as const;

/** The transaction ids of what isn't an answer to a numbered request. */
export const xid = { notification: -1, ping: -2, auth: -4 } as const;

export const code = {
  ok: 0,
  no_node: -101,
  no_auth: -102,
  bad_version: -103,
  no_children_for_ephemerals: -108,
  exists: -110,
  not_empty: -111,
  session_expired: -112,
  invalid_acl: -114,
  auth_failed: -115,
  session_moved: -118,
} as const;

/** More than a server with its defaults ever sends (jute.maxbuffer is 1 MiB). What another protocol sends reads as more. */
const largest_frame = 4 * 1024 * 1024;

/** Bytes in, whole messages out. Throws when the bytes can't be ZooKeeper's. */
export class Frames {
  #pending: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): Buffer[] {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    const frames: Buffer[] = [];
    while (this.#pending.length >= 4) {
      const size = this.#pending.readInt32BE(0);
      if (size < 0 || size > largest_frame) throw new NotZooKeeper();
      if (this.#pending.length < 4 + size) break;
      frames.push(this.#pending.subarray(4, 4 + size));
      this.#pending = this.#pending.subarray(4 + size);
    }
    return frames;
  }
}

export class NotZooKeeper extends Error {}

/**
 * lastZxidSeen is 0, so that a server which lags behind accepts us, too: the round asks for no more than its own answers.
 * Without the flag for it no read-only server accepts us.
 */
export function connect_request({
  session,
  timeout_ms,
}: Pick<ConnectOptions, "session" | "timeout_ms">): Buffer {
  const id = Buffer.alloc(8);
  if (session) id.writeBigInt64BE(session.id);
  const password = session ? Buffer.from(session.password) : Buffer.alloc(16);
  const timeout = Math.min(Math.floor(timeout_ms), 0x7fff_ffff);
  const request = new jute.protocol.ConnectRequest(0, Buffer.alloc(8), timeout, id, password);
  return new jute.Request(null, request).toBuffer();
}

/** timeout_ms 0 or less: no such session. */
export function connect_response(frame: Buffer): { timeout_ms: number; session: Session } {
  const { timeOut, sessionId, passwd } = read(new jute.protocol.ConnectResponse(), frame);
  return {
    timeout_ms: timeOut,
    session: { id: sessionId.readBigInt64BE(), password: passwd ?? Buffer.alloc(16) },
  };
}

export function auth_request(user: string, password: string): Buffer {
  const packet = new jute.protocol.AuthPacket(0, "digest", Buffer.from(`${user}:${password}`));
  return new jute.Request(new jute.protocol.RequestHeader(xid.auth, op.auth), packet).toBuffer();
}

export function ping_request(): Buffer {
  return new jute.Request(new jute.protocol.RequestHeader(xid.ping, op.ping), null).toBuffer();
}

/** Another request: its operation, and how its answer is read. */
export type Request<Answer> = {
  type: number;
  payload: ConstructorParameters<typeof jute.Request>[1];
  read: (body: Buffer) => Answer;
};

export function request_bytes(number: number, { type, payload }: Request<unknown>): Buffer {
  return new jute.Request(new jute.protocol.RequestHeader(number, type), payload).toBuffer();
}

export function reply(frame: Buffer): { xid: number; err: number; body: Buffer } {
  const header = new jute.protocol.ReplyHeader();
  const length = header.deserialize(frame, 0);
  return { xid: header.xid, err: header.err, body: frame.subarray(length) };
}

const event_types = new Map<number, "created" | "deleted" | "changed" | "children">([
  [1, "created"],
  [2, "deleted"],
  [3, "changed"],
  [4, "children"],
]);

/** null: it is about the session, not about a node. */
export function watch_event(body: Buffer): ZooKeeperEvent | null {
  const { type, path } = read(new jute.protocol.WatcherEvent(), body);
  const known = event_types.get(type);
  return known === undefined ? null : { type: known, path };
}

export const requests = {
  get: (path: string): Request<{ data: string; stat: Stat }> => ({
    type: op.get_data,
    payload: new jute.protocol.GetDataRequest(path, false),
    read: (body) => {
      const { data, stat } = read(new jute.protocol.GetDataResponse(), body);
      return { data: data?.toString() ?? "", stat: to_stat(stat) };
    },
  }),
  children: (path: string): Request<string[]> => ({
    type: op.get_children2,
    payload: new jute.protocol.GetChildren2Request(path, false),
    read: (body) => read(new jute.protocol.GetChildren2Response(), body).children ?? [],
  }),
  exists: (path: string, watch: boolean): Request<Stat> => ({
    type: op.exists,
    payload: new jute.protocol.ExistsRequest(path, watch),
    read: (body) => to_stat(read(new jute.protocol.ExistsResponse(), body).stat),
  }),
  /** A watch for children that never come: the node's data may change as often as it will. */
  exists_until: (path: string): Request<Stat> => ({
    type: op.get_children2,
    payload: new jute.protocol.GetChildren2Request(path, true),
    read: (body) => to_stat(read(new jute.protocol.GetChildren2Response(), body).stat),
  }),
  set: (path: string, data: string, version: number): Request<Stat> => ({
    type: op.set_data,
    payload: new jute.protocol.SetDataRequest(path, Buffer.from(data), version),
    read: (body) => to_stat(read(new jute.protocol.SetDataResponse(), body).stat),
  }),
  /** The answer: each operation's error, 0 if there was none. */
  multi: (operations: ZooKeeperOperation[], acl: Acl): Request<number[]> => ({
    type: op.multi,
    payload: new jute.TransactionRequest(operations.map((operation) => to_jute(operation, acl))),
    read: (body) => read(new jute.TransactionResponse(), body).results.map(({ err }) => err ?? 0),
  }),
  close_session: (): Request<void> => ({ type: op.close_session, payload: null, read: () => undefined }),
};

/** Who may use the nodes that we create: only who has our credentials, or who reaches the port. */
export type Acl = "creator" | "anyone";

function to_jute(
  operation: ZooKeeperOperation,
  acl: Acl,
): ConstructorParameters<typeof jute.TransactionRequest>[0][0] {
  const { path } = operation;
  const type = op[operation.op === "set" ? "set_data" : operation.op];
  switch (operation.op) {
    case "create": {
      const [scheme, id] = acl === "creator" ? ["auth", ""] : ["world", "anyone"];
      const everything = 31;
      const entry = { toRecord: () => new jute.data.ACL(everything, new jute.data.Id(scheme, id)) };
      return {
        type,
        path,
        data: Buffer.from(operation.data),
        acls: [entry],
        mode: operation.ephemeral ? 1 : 0,
      };
    }
    case "set":
      return { type, path, data: Buffer.from(operation.data), version: operation.version ?? -1 };
    case "delete":
    case "check":
      return { type, path, version: operation.version ?? -1 };
  }
}

function to_stat(stat: {
  czxid: Buffer;
  mzxid: Buffer;
  version: number;
  ephemeralOwner: Buffer;
  numChildren: number;
}): Stat {
  return {
    czxid: stat.czxid.readBigInt64BE(),
    mzxid: stat.mzxid.readBigInt64BE(),
    version: stat.version,
    ephemeral_owner: stat.ephemeralOwner.readBigInt64BE(),
    children: stat.numChildren,
  };
}

function read<T extends { deserialize(buffer: Buffer, offset: number): number }>(
  record: T,
  bytes: Buffer,
): T {
  record.deserialize(bytes, 0);
  return record;
}
