import { Failure, LockUnknown } from "../../errors.ts";
import type { Session, ZooKeeperApi } from "./api.ts";
import type { Ensemble } from "./ensemble.ts";
import { drop_link, open_link, type LinkOptions } from "./link.ts";
import type { Nodes } from "./nodes.ts";
import { barrier } from "./release.ts";

/**
 * One server says that the session has ended. So does a leader that stood still, of sessions begun since: it doesn't know
 * yet that it leads no more; and so does another ensemble. A new session, and what it sees behind a transaction, are
 * confirmed by a quorum. Throws LockUnknown, or LockRefused, unless that quorum agrees.
 */
export async function confirm_end(
  api: ZooKeeperApi,
  options: LinkOptions,
  { root, lock }: Nodes,
  session: Session,
  ensemble: Ensemble,
): Promise<void> {
  const link = await open_link(api, options, undefined);
  if (link === null) throw unknown(lock, "one server says that our session has ended, and began no other");
  try {
    await barrier(link.connection, root);
    await ensemble.same(link);
    const stat = await link.connection.exists(lock);
    if (stat !== "no-node" && stat.ephemeral_owner === session.id)
      throw unknown(lock, "one server says that our session has ended, and the others don't");
  } finally {
    await link.connection.close_session().catch((error: unknown) => {
      if (!(error instanceof Failure)) throw error; // it ends by itself
    });
    drop_link(link);
  }
}

function unknown(lock: string, why: string): LockUnknown {
  return new LockUnknown(`ZooKeeper's ${lock}: ${why}`, lock, "it is tried again");
}
