// What a server knows as a leader, and what as a follower.

import type { Pipe } from "./pipe.ts";
import type { Asked, End } from "./zookeeper-end.ts";
import type { Server } from "./zookeeper-server.ts";
import type { Tracker } from "./zookeeper-tracker.ts";
import type { Tree, Txn } from "./zookeeper-tree.ts";

export type Proposal = { txn: Txn; from: From | null; acks: number };
export type From = { end: End; asked: Asked };
type Follower = { pipe: Pipe; heard_ns: bigint };

export type Leading = {
  is: "leading";
  /** With what is proposed and not yet agreed on. */
  head: Tree;
  pending: Proposal[];
  tracker: Tracker;
  followers: Map<Server, Follower>;
};
export type Following = {
  is: "following";
  leader: Server;
  /** One connection to one leadership of it: what comes of an earlier one is nobody's. */
  of: Leading;
  to_leader: Pipe;
  heard_ns: bigint;
  /** Sessions that were heard of, for the leader's next PING. */
  touched: Map<bigint, number>;
  /** By session only: an answer to an earlier question is taken for this one's. */
  revalidating: Map<bigint, End>;
};
export type Role = { is: "looking" } | Leading | Following;
