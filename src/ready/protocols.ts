// What each kind of server is asked, and which answers mean that it serves. Nobody logs in anywhere. Sources: docs/readiness.md.

import { escaped } from "../config/quoted.ts";
import type { Dialogue, Verdict } from "./dialogue.ts";

const foreign = "what answers there doesn't speak this protocol";

/** What a server said, in a sentence of ours. */
const said = (text: string): string => escaped(text.trim().slice(0, 200));

export const tcp: Dialogue = { question: null };

/** 2xx and 3xx; 401 and 403 as well: a server that asks who is there is up. */
export function http(host: string, path: string, tls: boolean): Dialogue {
  const lines = [`GET ${path} HTTP/1.1`, `Host: ${host}`, "User-Agent: leasehold", "Connection: close"];
  return {
    question: Buffer.from(`${lines.join("\r\n")}\r\n\r\n`),
    tls,
    judge(bytes) {
      const end = bytes.indexOf("\n");
      if (end < 0) return bytes.length < 1000 ? undefined : foreign;
      const line = bytes.toString("latin1", 0, end).trim();
      const [, code] = /^HTTP\/1\.[01] (\d{3})\b/.exec(line) ?? [];
      if (code === undefined) return foreign;
      const serves = /^[23]/.test(code) || code === "401" || code === "403";
      return serves ? null : `it answered ${said(line)}`;
    },
  };
}

/**
 * As pg_isready does: the server says what state it is in after a startup message, before it looks who that is. SQLSTATE 57P03 is a
 * server that starts, stops or recovers; any other answer comes from one that serves.
 */
export function postgres(user: string): Dialogue {
  const body = Buffer.from(`\0\x03\0\0user\0${user}\0database\0postgres\0\0`, "latin1");
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length + 4);
  return {
    question: Buffer.concat([length, body]),
    farewell: Buffer.from("X\0\0\0\x04", "latin1"),
    judge(bytes) {
      const type = bytes.toString("latin1", 0, 1);
      if (bytes.length < 5) return undefined;
      if (type === "R" || type === "v") return null; // it asks for a password, or lets us in
      if (type !== "E") return foreign;
      const size = bytes.readInt32BE(1);
      if (size < 5 || size > 60_000) return foreign;
      if (bytes.length < size + 1) return undefined;
      const fields = new Map(
        bytes
          .toString("utf8", 5, size + 1)
          .split("\0")
          .map((field) => [field.slice(0, 1), field.slice(1)]),
      );
      return fields.get("C") === "57P03" ? said(fields.get("M") ?? "it starts") : null;
    },
  };
}

/** The server speaks first: its greeting, or an error such as 1040, too many connections. */
export const mysql: Dialogue = {
  question: null,
  judge(bytes) {
    if (bytes.length < 4) return undefined;
    const size = bytes.readUIntLE(0, 3);
    if (size < 3 || size > 4096 || bytes.readUInt8(3) !== 0) return foreign;
    if (bytes.length < size + 4) return undefined;
    const kind = bytes.readUInt8(4);
    if (kind === 10) return null; // the protocol's version; no other is in use
    if (kind !== 0xff) return foreign;
    return `it answered ${bytes.readUInt16LE(5)} ${said(bytes.toString("utf8", 7, size + 4))}`;
  },
};

/** NOAUTH: it serves those who have a password. LOADING, MISCONF and the like: it serves nobody, or takes no writes. */
export const redis: Dialogue = {
  question: Buffer.from("PING\r\n"),
  judge(bytes): Verdict {
    const end = bytes.indexOf("\r\n");
    if (end < 0) return bytes.length < 1000 ? undefined : foreign;
    const line = bytes.toString("utf8", 0, end);
    if (line === "+PONG" || line.startsWith("-NOAUTH ")) return null;
    return line.startsWith("-") ? said(line.slice(1)) : foreign;
  },
};
