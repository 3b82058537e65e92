import { LockRefused, LockUnknown } from "../../errors.ts";
import type { ZooKeeperConnection } from "./api.ts";
import type { Link } from "./link.ts";
import type { Nodes } from "./nodes.ts";
import { barrier } from "./release.ts";

/**
 * Whether it is still the same ensemble that answers. An ensemble has no name of its own, and two that start in one millisecond
 * number their sessions alike, so each connection is compared before anything is taken on it: by a node beside the lock that was made
 * once (docs/decisions/0020-which-ensemble.md).
 */
export class Ensemble {
  readonly #nodes: Nodes;
  /** What a node of ours says: nobody else says the same. */
  readonly #instance: string;
  /** link: the last one that is known to lead there. */
  #known: { identity: string; link: Link } | undefined;

  constructor(nodes: Nodes, instance: string) {
    this.#nodes = nodes;
    this.#instance = instance;
  }

  /** To be remembered, of an ensemble that is the same, or the first. On one connection an operator may have deleted it. */
  async note(link: Link): Promise<void> {
    const { connection } = link;
    const identity = (await this.#read(connection)) ?? (await this.#make(connection));
    this.#known = { identity, link };
  }

  /** Something else has told that this one leads there: the lock is ours on it. */
  trust(link: Link): void {
    if (this.#known) this.#known.link = link;
  }

  /** LockRefused unless the ensemble that was noted, for a new session a quorum of it, is behind this connection. */
  async same(link: Link): Promise<void> {
    if (!this.#known || this.#known.link === link) return;
    const { identity } = this.#known;
    const { connection, begins } = link;
    let is_same = !begins && (await this.#read(connection)) === identity;
    if (!is_same) {
      await barrier(connection, this.#nodes.root);
      is_same = (await this.#read(connection)) === identity;
    }
    if (is_same) return this.trust(link);
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
