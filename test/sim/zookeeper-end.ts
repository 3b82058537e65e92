import type { ZooKeeperEvent } from "../../src/lock/zookeeper/api.ts";
import type { Pipe } from "./pipe.ts";
import type { Server } from "./zookeeper-server.ts";
import type { Tree, Txn } from "./zookeeper-tree.ts";

/** A read is answered by the server itself, from what it knows; a write becomes a transaction of the leader's. */
export type Request =
  | { read: (tree: Tree) => unknown; watch?: string; until?: boolean }
  | { write: (tree: Tree, session: bigint, zxid: bigint) => Txn }
  | { close: true };
export type Asked = { request: Request | { begin_ms: number }; answer?: { value: unknown } };

/** What the client's end hears. */
export type Hears = {
  connected(session: bigint, timeout_ms: number): void;
  answered(value: unknown): void;
  told(event: ZooKeeperEvent): void;
  alive(): void;
  closed(): void;
};

/** The server's end of a connection. Its requests are answered in their order. */
export class End {
  readonly server: Server;
  readonly back: Pipe;
  readonly client: Hears;
  session = 0n;
  timeout_ms = 0;
  open = true;
  readonly asked: Asked[] = [];

  constructor(server: Server, back: Pipe, client: Hears) {
    this.server = server;
    this.back = back;
    this.client = client;
  }
  close(): void {
    if (!this.open) return;
    this.open = false;
    this.server.ends.delete(this);
    this.back.send(() => this.client.closed());
  }
  /** The client's end is closed. What it sent before is done all the same. */
  gone(): void {
    this.open = false;
    this.server.ends.delete(this);
  }
  /** What is answered, or can be, from the first that is not. */
  pump(): void {
    for (let first = this.asked[0]; first; first = this.asked[0]) {
      const { request } = first;
      if ("read" in request) {
        if (request.watch !== undefined) this.server.watch(request.watch, this, request.until === true);
        first.answer = { value: request.read(this.server.tree) };
      }
      const { answer } = first;
      if (!answer || !this.open) return;
      this.asked.shift();
      this.back.send(() => this.client.answered(answer.value));
      if ("close" in request) this.close();
    }
  }
}
