// What ZooKeeper's servers agree on: nodes and sessions, changed by one transaction after the other.

import type { Node, Stat, ZooKeeperOperation } from "../../src/lock/zookeeper/api.ts";

/** session: begun with this timeout, or ended (null). answer: what whoever asked for it hears. */
export type Txn = {
  zxid: bigint;
  nodes: Map<string, Node | null>;
  session: { id: bigint; timeout_ms: number | null } | null;
  answer: unknown;
};

export class Tree {
  readonly nodes: Map<string, Node>;
  /** Of each session its timeout. */
  readonly sessions: Map<bigint, number>;
  zxid: bigint;

  constructor(from?: Tree) {
    this.nodes = new Map(from?.nodes);
    this.sessions = new Map(from?.sessions);
    this.zxid = from?.zxid ?? 0n;
  }

  apply({ zxid, nodes, session }: Txn): void {
    for (const [path, node] of nodes)
      if (node) this.nodes.set(path, node);
      else this.nodes.delete(path);
    if (session?.timeout_ms === null) this.sessions.delete(session.id);
    else if (session) this.sessions.set(session.id, session.timeout_ms);
    this.zxid = zxid;
  }
  get(path: string): Node | "no-node" {
    return this.nodes.get(path) ?? "no-node";
  }
  exists(path: string): Stat | "no-node" {
    return this.nodes.get(path)?.stat ?? "no-node";
  }
  children(path: string): string[] | "no-node" {
    if (path !== "/" && !this.nodes.has(path)) return "no-node";
    const above = path === "/" ? "/" : `${path}/`;
    const below = [...this.nodes.keys()].filter((one) => one.startsWith(above));
    return below.map((one) => one.slice(above.length)).filter((name) => !name.includes("/"));
  }
  ephemerals_of(id: bigint): string[] {
    return [...this.nodes].filter(([, { stat }]) => stat.ephemeral_owner === id).map(([path]) => path);
  }
}

/** A failed one is a transaction, too: its answer went through a quorum like any other. */
export function multi(tree: Tree, operations: ZooKeeperOperation[], session: bigint, zxid: bigint): Txn {
  const nodes = new Map<string, Node | null>();
  const at = (path: string): Node | undefined => {
    const changed = nodes.get(path);
    return changed === null ? undefined : (changed ?? tree.nodes.get(path));
  };
  for (const [index, one] of operations.entries()) {
    const why = why_not(one, at);
    if (why !== null) return { zxid, nodes: new Map(), session: null, answer: { failed: index, why } };
    const stat = at(one.path)?.stat;
    if (one.op === "delete") nodes.set(one.path, null);
    if (one.op === "set" && stat)
      nodes.set(one.path, { data: one.data, stat: { ...stat, mzxid: zxid, version: stat.version + 1 } });
    if (one.op === "create") {
      const ephemeral_owner = one.ephemeral ? session : 0n;
      nodes.set(one.path, {
        data: one.data,
        stat: { czxid: zxid, mzxid: zxid, version: 0, ephemeral_owner, children: 0 },
      });
    }
  }
  return { zxid, nodes, session: null, answer: "done" };
}

function why_not(one: ZooKeeperOperation, at: (path: string) => Node | undefined): string | null {
  if (one.op === "create") {
    const above = one.path.slice(0, one.path.lastIndexOf("/"));
    if (above !== "" && !at(above)) return "no-node";
    return at(one.path) ? "exists" : null;
  }
  // The top is always there.
  if (one.path === "/") return null;
  const node = at(one.path);
  if (!node) return "no-node";
  const { version = -1 } = one;
  return version >= 0 && version !== node.stat.version ? "bad-version" : null;
}
