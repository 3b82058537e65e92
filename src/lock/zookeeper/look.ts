import type { LockView } from "../lock.ts";
import type { ZooKeeperConnection } from "./api.ts";
import { parse_contender, parse_record } from "../records.ts";
import type { Nodes } from "./nodes.ts";
import { barrier } from "./release.ts";

/** `sync` is answered without a quorum; a transaction that only checks is not, and changes nothing. */
export async function look(connection: ZooKeeperConnection, nodes: Nodes): Promise<LockView> {
  await barrier(connection, nodes.root);
  const [lock, record, names] = await Promise.all([
    connection.get(nodes.lock),
    connection.get(nodes.record),
    connection.children(nodes.contenders),
  ]);
  const children = names === "no-node" ? [] : names;
  const found = await Promise.all(children.map((name) => connection.get(`${nodes.contenders}/${name}`)));
  const contenders = found.map((node) => (node === "no-node" ? null : parse_contender(node.data)));
  return {
    holder: lock === "no-node" ? null : parse_record(lock.data, nodes.lock),
    record: record === "no-node" ? null : parse_record(record.data, nodes.record),
    contenders: contenders.filter((contender) => contender !== null),
  };
}
