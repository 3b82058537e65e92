import type { Identity, LockRecord } from "../../core/record.ts";
import { LockUnknown } from "../../errors.ts";
import type { Busy } from "../lock.ts";
import type { Stat, ZooKeeperConnection } from "./api.ts";
import { parse_record, record_of } from "../records.ts";
import { write_record, type Nodes } from "./nodes.ts";
import type { Held } from "./round.ts";

/** Of each take-over that was tried: the versions that it would give the record, and the record before it. */
export type Tried = Map<number, LockRecord | null>;

/**
 * Creates the lock and writes the record in one transaction, or finds that an earlier try did ("found"), or whose it is.
 * A record that still asks for fencing is written as it is: only its version grows, as with each take-over.
 */
export async function try_to_take(
  connection: ZooKeeperConnection,
  { lock, record, root }: Nodes,
  { identity, ttl_ms }: { identity: Identity; ttl_ms: number },
  tried: Tried,
): Promise<(Busy & { stat: Stat }) | "again" | { kind: "created" | "found"; held: Held }> {
  const node = await connection.get(record);
  const version = node === "no-node" ? -1 : node.stat.version;
  const previous =
    node === "no-node" ? null : record_before(version, parse_record(node.data, record), identity, tried);
  const found = node === "no-node" || previous === null || previous.state === "clean" ? null : node.data;
  // For people only, hence the wall clock.
  const since = new Date().toISOString();
  const ours = JSON.stringify(record_of(identity, { state: "running", token: null, since, ttl_ms }));
  const unheard = tried.has(version + 1);
  tried.set(version + 1, previous);
  // The lock is read behind the transaction, on the same connection, so it isn't older.
  const [answer, there] = await Promise.all([
    connection.multi([
      { op: "create", path: lock, data: ours, ephemeral: true },
      write_record(record, found ?? ours, version),
    ]),
    connection.get(lock),
  ]);
  const mine = there !== "no-node" && there.stat.ephemeral_owner === connection.session.id;
  const known = { found, claimed: false, previous, told: false, since };
  if (answer === "done") {
    // Created, and deleted by somebody at once.
    if (!mine) return "again";
    const { czxid: token, version: written } = there.stat;
    return { kind: "created", held: { ...known, token, version: written, record_version: version + 1 } };
  }
  if (!unheard) tried.delete(version + 1);
  if (answer.failed === 0 && answer.why === "no-node") {
    throw new LockUnknown(`ZooKeeper's ${root} was deleted just now`, root, "it is tried again");
  }
  // The record has changed since it was read.
  if (answer.failed !== 0) return "again";
  if (there === "no-node") return "again";
  if (!mine) return { kind: "busy", holder: parse_record(there.data, lock), stat: there.stat };
  // An earlier try was applied, and its answer was lost.
  const { czxid: token, version: written } = there.stat;
  return { kind: "found", held: { ...known, token, version: written, record_version: version } };
}

/** The record that an unheard take-over of ours replaced counts, not the one that it wrote. */
function record_before(
  version: number,
  found: LockRecord,
  { instance }: Identity,
  tried: Tried,
): LockRecord | null {
  const ours = found.state === "running" && found.instance === instance;
  const before = ours ? tried.get(version) : undefined;
  return before === undefined ? found : before;
}
