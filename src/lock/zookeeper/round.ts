import type { LockRecord } from "../../core/record.ts";
import { LockUnknown } from "../../errors.ts";
import type { LockOptions } from "../lock.ts";
import type { Session, ZooKeeperApi, ZooKeeperEvent } from "./api.ts";
import { drop_link, open_link, type Link } from "./link.ts";
import { write_record, type Nodes } from "./nodes.ts";
import type { Tried } from "./take.ts";

/** A tenure. */
export type Held = {
  /** The lock node's czxid. */
  token: bigint;
  /** The lock node's, as last heard. */
  version: number;
  /** The record's, as last heard; -1: there is none. */
  record_version: number;
  /** What the record was, and still is because it is not marked as ours yet; null: it is ours. */
  found: string | null;
  /** The record holds our token. */
  claimed: boolean;
  previous: LockRecord | null;
  /** The loss was told, or is our own doing. */
  told: boolean;
  since: string;
};

/** What is written into the lock, and beside it. */
export type Written = { nodes: Nodes; held: Held; tried: Tried; data: () => string };

type RoundOptions = Written & {
  api: ZooKeeperApi;
  options: Pick<LockOptions, "time" | "attempt_ms" | "ttl_ms">;
  session: Session;
  on_granted: (granted_ms: number) => void;
  /** The watch for the lock's end is set by the second write. */
  on_event: (link: Link, event: ZooKeeperEvent) => void;
};
export type RoundAnswer =
  | { kind: "confirmed"; t0_ns: bigint; link: Link }
  | { kind: "lost"; because: string; link: Link }
  | { kind: "session-gone" };

/** Between the session's answer and the second write. Long enough for a leader's stalled queues to show themselves. */
export const settle_ms = 250;

/**
 * The re-attach round, the only proof there is in ZooKeeper. The session is re-attached over a new connection, which makes
 * the leader count its timeout anew, from after t0 at the earliest. A write confirms that the lock is ours. A second one,
 * later, confirms that the leader which did so still was one. Throws LockUnknown when it isn't through in attempt_ms.
 */
export async function round(given: RoundOptions): Promise<RoundAnswer> {
  const { time, attempt_ms } = given.options;
  const state: { over: boolean; link?: Link } = { over: false };
  const { promise: late, reject } = Promise.withResolvers<never>();
  const cancel = time.after(attempt_ms, () => {
    state.over = true;
    if (state.link) drop_link(state.link);
    reject(
      new LockUnknown(
        `no proof from ZooKeeper within ${attempt_ms} ms`,
        given.nodes.lock,
        "it is tried again",
      ),
    );
  });
  try {
    return await Promise.race([steps(given, state), late]);
  } catch (error) {
    if (state.link) drop_link(state.link);
    throw error;
  } finally {
    cancel();
  }
}

async function steps(given: RoundOptions, state: { over: boolean; link?: Link }): Promise<RoundAnswer> {
  const { api, options, session, on_granted, on_event } = given;
  const { time } = options;
  const link = await open_link(api, options, session);
  if (link === null) return { kind: "session-gone" };
  const { asked_ns: t0_ns } = link;
  if (state.over) {
    drop_link(link);
    throw new LockUnknown("the session's answer came too late", given.nodes.lock, "it is tried again");
  }
  state.link = link;
  link.listeners.add((event) => on_event(link, event));
  on_granted(link.connection.negotiated_ms);
  const settled = new Promise<void>((resolve) => void time.after(settle_ms, resolve));
  let lost = await write(given, link, false);
  if (lost === null) {
    await settled;
    lost = await write(given, link, true);
  }
  return lost === null ? { kind: "confirmed", t0_ns, link } : { kind: "lost", because: lost, link };
}

/**
 * Confirmed by a quorum: null, it is ours; or why it is not. Each take-over writes the record, so its version keeps us from
 * writing into another's lock. The stat is asked for on the same connection behind the write, so it isn't older.
 */
export async function write(
  { nodes: { lock, record }, data, held, tried }: Written,
  { connection, session }: Link,
  watch: boolean,
): Promise<string | null> {
  for (let tries = 0; tries < 4; tries += 1) {
    const version = held.record_version;
    const claim = held.found === null && !held.claimed;
    if (claim) tried.set(version + 1, held.previous);
    const writes = claim || version < 0;
    const [answer, stat] = await Promise.all([
      connection.multi([
        writes ? write_record(record, held.found ?? data(), version) : { op: "check", path: record, version },
        { op: "set", path: lock, data: data(), version: held.version },
      ]),
      connection.exists(lock, watch ? "changes" : undefined),
    ]);
    if (stat === "no-node") return `${lock} was deleted`;
    const foreign = not_ours(stat, session, held);
    if (foreign !== null) return `${lock} ${foreign}`;
    if (stat.version < held.version)
      throw new LockUnknown(
        `${lock} is as it was before a write that had been acknowledged: an ensemble that was restored, or a copy of it`,
        lock,
        "don't run two copies of one ensemble",
      );
    held.version = stat.version;
    if (answer === "done") {
      if (writes) held.record_version = version + 1;
      held.claimed ||= claim;
      return null;
    }
    if (answer.failed === 0) {
      const found = await connection.exists(record);
      held.record_version = found === "no-node" ? -1 : found.version;
    }
  }
  throw new LockUnknown(`${lock} is being written by somebody else`, lock, "it is tried again");
}

/**
 * Writes our record, if the lock is ours: each take-over writes the record, too, so its version tells. An answer that was
 * not heard makes it be written again.
 */
export async function mark(
  { connection, session }: Link,
  { lock, record }: Nodes,
  held: Held,
  text: string,
): Promise<void> {
  for (let tries = 0; tries < 4; tries += 1) {
    const answer = await connection.multi([
      { op: "check", path: lock, version: -1 },
      write_record(record, text, held.record_version),
    ]);
    if (answer === "done") {
      held.record_version += 1;
      held.found = null;
      held.claimed = true;
      return;
    }
    // In this order: a take-over in between would change the version again.
    const found = await connection.exists(record);
    const stat = await connection.exists(lock);
    if (stat === "no-node" || not_ours(stat, session, held) !== null) break;
    held.record_version = found === "no-node" ? -1 : found.version;
  }
  throw new LockUnknown(`${lock} may not be ours any more`, lock, "the next proof will tell");
}

function not_ours(
  stat: { ephemeral_owner: bigint; czxid: bigint },
  session: Session,
  held: Held,
): string | null {
  if (stat.ephemeral_owner !== session.id) return "is another's";
  return held.token === stat.czxid ? null : "was deleted and made anew";
}

/** Watches on for the lock's end, on a connection that has written. Gives why it is lost already, or null. */
export async function watch_lock(
  { connection, session }: Link,
  lock: string,
  held: Held,
): Promise<string | null> {
  try {
    const stat = await connection.exists(lock, "changes");
    if (stat === "no-node") return `${lock} was deleted`;
    const foreign = not_ours(stat, session, held);
    return foreign === null ? null : `${lock} ${foreign}`;
  } catch {
    // No watch until the next round then, which would find it out, too.
    return null;
  }
}
