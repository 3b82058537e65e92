import type { LockOptions } from "../lock.ts";
import type { Session, ZooKeeperApi, ZooKeeperConnection, ZooKeeperEvent } from "./api.ts";

/**
 * A connection, who listens to it, and whether it is still one. asked_ns: the instant before its ConnectRequest was sent.
 * begins: that asked for the session, which is as old as the connection. written_ns: when a write on it was first known to be
 * acknowledged.
 */
export type Link = {
  connection: ZooKeeperConnection;
  session: Session;
  asked_ns: bigint;
  begins: boolean;
  listeners: Set<Listener>;
  state: { up: boolean; written_ns: bigint | null };
};
type Listener = (event: ZooKeeperEvent) => void;
export type LinkOptions = Pick<LockOptions, "ttl_ms"> & { time: Pick<LockOptions["time"], "now_ns"> };

/** null: the session is gone. */
export async function open_link(
  api: ZooKeeperApi,
  { ttl_ms, time }: LinkOptions,
  session: Session | undefined,
): Promise<Link | null> {
  const listeners = new Set<Listener>();
  const state: Link["state"] = { up: true, written_ns: null };
  let asked_ns = 0n;
  // Of several servers that are asked, the last one answers.
  const on_sent = (): void => void (asked_ns = time.now_ns());
  const on_event = (event: ZooKeeperEvent): void => {
    if (event.type === "down") state.up = false;
    for (const listener of listeners) listener(event);
  };
  const answer = await api.connect({ ...(session && { session }), timeout_ms: ttl_ms, on_sent, on_event });
  if (answer.kind === "session-gone") return null;
  const { connection } = answer;
  const begins = session === undefined;
  return { connection, session: connection.session, asked_ns, begins, listeners, state };
}

/** Who still listens hears of the end. */
export function drop_link({ connection, listeners, state }: Link): void {
  connection.drop();
  state.up = false;
  for (const listener of listeners) listener({ type: "down", because: "the connection was given up" });
}

/** The next event about this node, or the connection's end. `stop` ends the listening. */
export function next_event(link: Link, path: string): { event: Promise<ZooKeeperEvent>; stop: () => void } {
  const { promise, resolve } = Promise.withResolvers<ZooKeeperEvent>();
  const listener = (event: ZooKeeperEvent): void => {
    if (event.type === "down" || event.path === path) resolve(event);
  };
  link.listeners.add(listener);
  if (!link.state.up) resolve({ type: "down", because: "it was down already" });
  return { event: promise, stop: () => void link.listeners.delete(listener) };
}
