import { LockRefused, LockUnknown } from "../../errors.ts";
import type { Credentials, LockOptions } from "../lock.ts";
import type { Session, ZooKeeperApi, ZooKeeperConnection, ZooKeeperOperation } from "./api.ts";
import { drop_link, open_link, type LinkOptions } from "./link.ts";
import { nodes_at, write_record, type Nodes } from "./nodes.ts";
import { ZooKeeperSession, type ZooKeeperTarget } from "./session.ts";

/** What a read can't: the answer went through the leader and its quorum, so that what is read next is at least as new. */
export async function barrier(connection: ZooKeeperConnection, path: string): Promise<void> {
  await connection.multi([{ op: "check", path: path === "" ? "/" : path, version: -1 }]);
}

/** The versions of lock and record, as last heard. */
type Known = { version: number; record_version: number };

/**
 * Deletes the lock if it is this session's, writes the record in the same transaction (null: it stays), and ends the session.
 * The end of the session also ends a creation of the lock that is still on its way.
 */
export async function give_back(
  connection: ZooKeeperConnection,
  nodes: Nodes,
  record: string | null,
  known?: Known,
): Promise<void> {
  let outcome: "deleted" | "again" | "not-ours" = "again";
  try {
    if (known && (record !== null || known.record_version >= 0))
      outcome = await delete_unchanged(connection, nodes, record, known);
    for (let tries = 0; outcome === "again" && tries < 5; tries += 1)
      outcome = await try_to_delete(connection, nodes, record);
  } catch (error) {
    // Who may not write there any more may still end its session, and with it the lock.
    if (!(error instanceof LockRefused)) throw error;
  }
  try {
    await connection.close_session();
  } catch (error) {
    // Deleted is given back; then the session may as well end by itself.
    if (outcome !== "deleted" || !(error instanceof LockUnknown)) throw error;
    connection.drop();
  }
}

/** Nobody takes the lock without writing the record: if that is as it was last heard of, then the lock is ours still. */
async function delete_unchanged(
  connection: ZooKeeperConnection,
  nodes: Nodes,
  record: string | null,
  { version, record_version }: Known,
): Promise<"deleted" | "again"> {
  const answer = await connection.multi([
    { op: "delete", path: nodes.lock, version },
    ...in_record(nodes.record, record, record_version),
  ]);
  return answer === "done" ? "deleted" : "again";
}

async function try_to_delete(
  connection: ZooKeeperConnection,
  nodes: Nodes,
  record: string | null,
): Promise<"deleted" | "again" | "not-ours"> {
  // In this order, answered in it, too: what is read is no older than the transaction, and the record, which each take-over
  // writes, no younger than the lock: if it is unchanged in the end, then so is whose the lock is.
  const [, there, node] = await Promise.all([
    barrier(connection, nodes.root),
    connection.exists(nodes.record),
    connection.get(nodes.lock),
  ]);
  if (node === "no-node" || node.stat.ephemeral_owner !== connection.session.id) return "not-ours";
  const record_version = there === "no-node" ? -1 : there.version;
  return delete_unchanged(connection, nodes, record, { version: node.stat.version, record_version });
}

function in_record(path: string, record: string | null, version: number): ZooKeeperOperation[] {
  if (record !== null) return [write_record(path, record, version)];
  return version < 0 ? [] : [{ op: "check", path, version }];
}

/** Re-attaches as often as it takes, but no more than `tries` times. */
export async function give_back_session(
  api: ZooKeeperApi,
  options: LinkOptions & { nodes: Nodes; record: string | null; session: Session; tries: number },
): Promise<void> {
  const { nodes, record, session } = options;
  for (let left = options.tries; ; left -= 1) {
    try {
      const link = await open_link(api, options, session);
      if (link === null) return;
      try {
        await give_back(link.connection, nodes, record);
      } finally {
        drop_link(link);
      }
      return;
    } catch (error) {
      if (left <= 1 || !(error instanceof LockUnknown)) throw error;
    }
  }
}

/** Everything that another process needs; with the credentials. */
export type ReleaseRecord = {
  kind: "zookeeper";
  target: ZooKeeperTarget;
  credentials: Credentials;
  attempt_ms: number;
  ttl_ms: number;
  /** null: there is nothing to give back. */
  session: { id: string; password: string } | null;
  /** null: it stays as it was found. */
  record: string | null;
};

export function release_record({
  target,
  options: { attempt_ms, ttl_ms, credentials = {} },
  session,
  record,
}: {
  target: ZooKeeperTarget;
  options: Pick<LockOptions, "attempt_ms" | "ttl_ms" | "credentials">;
  session: Session | undefined;
  record: string | null;
}): string {
  const given: ReleaseRecord = {
    kind: "zookeeper",
    ...{ target, credentials, attempt_ms, ttl_ms, record },
    session: session
      ? { id: String(session.id), password: Buffer.from(session.password).toString("base64") }
      : null,
  };
  return JSON.stringify(given);
}

/** What the release program does for a controller that is dead, and whose app is dead, too. */
export async function release_zookeeper(record_json: string): Promise<void> {
  const given: ReleaseRecord = JSON.parse(record_json);
  const { target, credentials, attempt_ms, ttl_ms, session, record } = given;
  if (session === null) return;
  await give_back_session(new ZooKeeperSession(target, { attempt_ms, credentials }), {
    ttl_ms,
    time: { now_ns: () => process.hrtime.bigint() },
    nodes: nodes_at(target.path),
    record,
    session: { id: BigInt(session.id), password: Buffer.from(session.password, "base64") },
    tries: 2 * target.servers.length + 2,
  });
}
