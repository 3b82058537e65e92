import type { Identity } from "../../core/record.ts";
import type { ZooKeeperOperation } from "./api.ts";

/** Where the lock's nodes are. `root` is the URL's path, "" for the top. */
export type Nodes = { root: string; lock: string; record: string; contenders: string; ensemble: string };

export function nodes_at(path: string): Nodes {
  const root = path.replace(/\/+$/, "");
  const at = (name: string): string => `${root}/${name}`;
  return {
    root,
    lock: at("lock"),
    record: at("record"),
    contenders: at("contenders"),
    ensemble: at("ensemble"),
  };
}

/** The nodes that must be there before the lock can be, outermost first. */
export function parents({ root, contenders }: Nodes): string[] {
  const names = root.split("/").slice(1);
  return [...names.map((_, index) => `/${names.slice(0, index + 1).join("/")}`), contenders];
}

export function contender_node({ contenders }: Nodes, { holder, instance }: Identity): string {
  return `${contenders}/${encodeURIComponent(holder)}-${instance}`;
}

/** version: the record's that it replaces; -1: there is none, and without one a successor would find nobody to fence. */
export function write_record(path: string, data: string, version: number): ZooKeeperOperation {
  return version < 0 ? { op: "create", path, data, ephemeral: false } : { op: "set", path, data, version };
}
