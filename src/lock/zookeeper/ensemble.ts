import { LockRefused, LockUnknown } from "../../errors.ts";
import type { ZooKeeperConnection } from "./api.ts";
import type { Link } from "./link.ts";
import type { Nodes } from "./nodes.ts";
import { barrier } from "./release.ts";

/**
 * Whether it is still the same ensemble that answers. An ensemble has no name of its own, but a session is known to its own
 * only: who comes back with one is where he was. Whoever begins another looks at a node beside the lock that was made once
 * (docs/decisions/0020-which-ensemble.md).
 */
export class Ensemble {
  readonly #nodes: Nodes;
  /** What a node of ours says: nobody else says the same. */
  readonly #instance: string;
  /** began: the connection on which the session did, if it was noted there. */
  #known: { identity: string; session: bigint; began: Link | undefined } | undefined;

  constructor(nodes: Nodes, instance: string) {
    this.#nodes = nodes;
    this.#instance = instance;
  }

  /** To be remembered, of an ensemble that is the same, or the first. In one session an operator may have deleted it. */
  async note(link: Link): Promise<void> {
    const { connection, session } = link;
    const identity = (await this.#read(connection)) ?? (await this.#make(connection));
    const began = link.begins ? link : this.#known?.session === session.id ? this.#known.began : undefined;
    this.#known = { identity, session: session.id, began };
  }

  /** LockRefused unless the ensemble that was noted, a quorum of it, is behind this connection. */
  async same(link: Link): Promise<void> {
    const { connection, session } = link;
    if (!this.#known) return;
    // A session that begins anew is another one, whatever its number: two ensembles that start in one millisecond count alike.
    const is_new = link.begins && link !== this.#known.began;
    if (this.#known.session === session.id && !is_new) return;
    await barrier(connection, this.#nodes.root);
    if ((await this.#read(connection)) === this.#known.identity) return;
    const { server } = connection;
    throw new LockRefused(
      `ZooKeeper at ${server} is of another ensemble than the one seen first, or ${this.#nodes.ensemble} was deleted`,
      server,
      "check that all servers of --lock are of one ensemble, and that it wasn't replaced",
    );
  }

  /** A node that was copied has the same data, but not the same transaction. */
  async #read(connection: ZooKeeperConnection): Promise<string | null> {
    const node = await connection.get(this.#nodes.ensemble);
    return node === "no-node" ? null : `${node.data} ${node.stat.czxid}`;
  }

  async #make(connection: ZooKeeperConnection): Promise<string> {
    const path = this.#nodes.ensemble;
    const answer = await connection.multi([{ op: "create", path, data: this.#instance, ephemeral: false }]);
    const made = answer === "done" || answer.why === "exists" ? await this.#read(connection) : null;
    if (made !== null) return made;
    throw new LockUnknown(`${path} can't be made`, path, "it is tried again");
  }
}
