// One question to the app over a connection of its own, and what its answer says.

import { connect, type Socket } from "node:net";
import type { Endpoint } from "../config/lock-url.ts";
import type { Time } from "../core/time.ts";
import { ms } from "../core/timing.ts";

/** null: it is ready; else a sentence's part that says why it isn't. undefined: more has to come first. */
export type Verdict = string | null | undefined;

export type Dialogue = {
  /** What is sent when the connection is there; null: the server speaks first. */
  question: Buffer | null;
  /** Of all that has come so far. Left out: a connection says enough. */
  judge?: (bytes: Buffer) => Verdict;
  /** Said before the connection is closed, so that the server doesn't note a client that was cut off. */
  farewell?: Buffer;
  tls?: boolean;
};

/** No answer that we judge is longer. */
const answer_max_bytes = 65_536;

/** After the farewell a server closes the connection; until then what it still sends is read. */
const farewell_ms = 1000;

/** Never rejects: why the app isn't ready, or null. */
export function ask(
  { host, port }: Endpoint,
  dialogue: Dialogue,
  { limit_ms, time }: { limit_ms: number; time: Time },
): Promise<string | null> {
  return new Promise((resolve) => {
    const { question, judge, farewell } = dialogue;
    const chunks: Buffer[] = [];
    let length = 0;
    let open = false;
    let settled = false;
    const socket = dial(host, port, dialogue.tls === true);
    const settle = (verdict: string | null): void => {
      if (settled) return;
      settled = true;
      take_back();
      if (farewell && verdict === null) {
        socket.end(farewell);
        take_back = time.after(farewell_ms, () => socket.destroy());
      } else socket.destroy();
      resolve(verdict);
    };
    let take_back = time.after(limit_ms, () =>
      settle(`${open ? "no answer" : "no connection"} within ${ms(limit_ms)}`),
    );
    socket.on(dialogue.tls === true ? "secureConnect" : "connect", () => {
      open = true;
      if (question) socket.write(question);
      if (!judge) settle(null);
    });
    socket.on("data", (chunk: Buffer) => {
      if (settled) return;
      length += chunk.length;
      if (length > answer_max_bytes) return settle("what answers there doesn't speak this protocol");
      chunks.push(chunk);
      const verdict = judge?.(Buffer.concat(chunks));
      if (verdict !== undefined) settle(verdict);
    });
    socket.on("error", (error: NodeJS.ErrnoException) => settle(error.code ?? error.message));
    socket.on("close", () => {
      settle("the connection was closed without an answer");
      take_back();
    });
    socket.unref();
  });
}

/** Nothing secret is sent or believed: that somebody answers is all that TLS has to carry, so any certificate will do. */
function dial(host: string, port: number, tls: boolean): Socket {
  if (!tls) return connect({ host, port });
  return process.getBuiltinModule("node:tls").connect({ host, port, rejectUnauthorized: false });
}
