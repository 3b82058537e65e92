import { LockUnknown } from "../../errors.ts";
import type { Identity } from "../../core/record.ts";
import type { ZooKeeperConnection } from "./api.ts";
import { contender_of } from "../records.ts";
import { contender_node, parents, type Nodes } from "./nodes.ts";

/** Makes what is missing above the lock. Looks first: where we may not create, what is there may do. */
export async function make_parents(connection: ZooKeeperConnection, nodes: Nodes): Promise<void> {
  if ((await connection.exists(nodes.contenders)) !== "no-node") return;
  for (const path of parents(nodes)) {
    if ((await connection.exists(path)) !== "no-node") continue;
    const answer = await connection.multi([{ op: "create", path, data: "", ephemeral: false }]);
    if (answer !== "done" && answer.why !== "exists") {
      throw new LockUnknown(`${path} can't be made: ${answer.why}`, path, "it is tried again");
    }
  }
}

/** The contender's node, for as long as this session lasts. */
export async function register(
  connection: ZooKeeperConnection,
  nodes: Nodes,
  identity: Identity,
): Promise<void> {
  const path = contender_node(nodes, identity);
  const create = {
    op: "create",
    path,
    data: JSON.stringify(contender_of(identity)),
    ephemeral: true,
  } as const;
  const answer = await connection.multi([create]);
  if (answer === "done" || answer.why !== "exists") return;
  const stat = await connection.exists(path);
  if (stat === "no-node" || stat.ephemeral_owner === connection.session.id) return;
  // Of a session of ours that is as good as gone.
  await connection.multi([{ op: "delete", path }, create]);
}

export async function deregister(
  connection: ZooKeeperConnection,
  nodes: Nodes,
  identity: Identity,
): Promise<void> {
  await connection.multi([{ op: "delete", path: contender_node(nodes, identity) }]);
}
