import { LockUnknown } from "../../errors.ts";
import { ms_between, ms_to_ns, type Time } from "../../core/time.ts";
import { pause } from "../pause.ts";
import type { Sighting } from "../sighting.ts";
import type { Attachment } from "./attachment.ts";
import type { Line } from "../line.ts";
import { next_event, type Link } from "./link.ts";
import type { Nodes } from "./nodes.ts";
import { barrier } from "./release.ts";
import { next_look_ms, young_ms } from "./warmth.ts";

export type Waiting = {
  attachment: Attachment;
  nodes: Nodes;
  time: Time;
  line: Line;
  sighting: Sighting;
  register: (link: Link) => Promise<void>;
  /** For how long a proof counts at most. */
  lease_ms: () => number;
};
type Seen = "free" | "freed" | "there" | "down";

/** Until the lock may be free, as Lock.wait() says. */
export async function wait_for_end(given: Waiting, abort: AbortSignal): Promise<void> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  aborted.catch(() => {});
  const on_abort = (): void => reject(abort.reason);
  abort.addEventListener("abort", on_abort);
  try {
    let hesitated = false;
    for (let breaks = 0; ;) {
      abort.throwIfAborted();
      const seen = await Promise.race([look(given, aborted), aborted]);
      // How soon to connect once more is the caller's to decide.
      if (seen === "down" && (breaks += 1) > 1)
        throw new LockUnknown(
          `ZooKeeper's ${given.nodes.lock}: the connection broke again`,
          given.nodes.lock,
          "it is tried again",
        );
      if (seen !== "free" && seen !== "freed") hesitated = false;
      else {
        const delay_ms = hesitated ? 0 : given.line.hesitation_ms();
        if (delay_ms === 0) return;
        // Whoever has taken it meanwhile is seen by the next look, which sets the next watch, too.
        await pause(given.time, delay_ms, abort);
        hesitated = true;
      }
    }
  } finally {
    abort.removeEventListener("abort", on_abort);
  }
}

/** What happens to the lock next, or how it is after a while. */
async function look(given: Waiting, aborted: Promise<never>): Promise<Seen> {
  const { nodes, time, line, sighting } = given;
  const { link, again_ms } = await connected(given);
  await given.register(link);
  await line.look({
    count: async () => {
      const stat = await link.connection.exists(nodes.contenders);
      return stat === "no-node" ? 0 : stat.children;
    },
    names: async () => {
      const names = await link.connection.children(nodes.contenders);
      return names === "no-node" ? [] : names;
    },
  });
  const { front } = line;
  const ahead = line.ahead === null ? null : `${nodes.contenders}/${line.ahead}`;
  const watched = ahead ?? nodes.lock;
  const next = next_event(link, watched);
  const { promise: due, resolve } = Promise.withResolvers<"due">();
  // The watch alone won't do: whom the node's ACL shuts out meanwhile isn't told of its end.
  const cancel = time.after(again_ms, () => resolve("due"));
  try {
    if (ahead !== null && (await link.connection.exists(ahead, "changes")) === "no-node") {
      line.moved();
      return "there";
    }
    // Of each renewal those in front are told, who may have to know when the last one was.
    const watch = front ? "changes" : ahead === null ? "end" : undefined;
    const stat = await link.connection.exists(nodes.lock, watch);
    if (stat === "no-node") return "free";
    sighting.see(stat.czxid, front ? stat.mzxid : undefined);
    const event = await Promise.race([next.event, due, aborted]);
    if (event === "due") return "there";
    if (event.type === "down") return "down";
    if (ahead !== null) {
      line.moved();
      return "there";
    }
    if (event.type === "deleted") {
      if (front) sighting.ended();
      return "freed";
    }
    sighting.see(stat.czxid);
    return "there";
  } finally {
    cancel();
    next.stop();
  }
}

/** In front: over a connection that is young. again_ms: when to look again. */
async function connected({
  attachment,
  nodes,
  time,
  line,
  sighting,
  lease_ms,
}: Waiting): Promise<{ link: Link; again_ms: number }> {
  const connection_ms = young_ms(lease_ms());
  if (!line.front) return { link: await attachment.connected(), again_ms: lease_ms() };
  try {
    const link = await attachment.younger({ connection_ms }, ({ connection }) =>
      barrier(connection, nodes.root),
    );
    const left_ms = ms_between(time.now_ns(), link.asked_ns + ms_to_ns(connection_ms));
    return { link, again_ms: next_look_ms(left_ms, sighting.silent_ms, lease_ms()) };
  } catch (error) {
    if (!(error instanceof LockUnknown)) throw error;
    return { link: await attachment.connected(), again_ms: connection_ms / 3 };
  }
}
