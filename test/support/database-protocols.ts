// As much of PostgreSQL's, MariaDB's and Redis's protocols as it takes to write numbers one after the other, and to know of each whether
// it was acknowledged.

import type { TcpNetConnectOpts, IpcNetConnectOpts } from "node:net";

/** A whole answer: how many bytes it has, and what the server refused. */
type Answer = { length: number; refusal: string | null };

export type Protocol = {
  address: TcpNetConnectOpts | IpcNetConnectOpts;
  /** The first question of a connection. */
  hello: Buffer;
  /** The question that stores a number. */
  write: (number: number) => Buffer;
  /** What the bytes so far begin with; null: not all of it has come. */
  answer: (bytes: Buffer) => Answer | null;
  /** Refusals of a server that starts or stops. */
  passing: RegExp;
};

export const postgres_protocol = (address: Protocol["address"]): Protocol => ({
  address,
  hello: with_length(Buffer.from("\0\x03\0\0user\0postgres\0database\0postgres\0\0", "latin1")),
  write: (number) =>
    Buffer.concat([
      Buffer.from("Q"),
      with_length(Buffer.from(`insert into written values (${number})\0`, "latin1")),
    ]),
  answer(bytes) {
    let refusal: string | null = null;
    for (let at = 0; bytes.length >= at + 5;) {
      const type = String.fromCharCode(bytes[at] ?? 0);
      const next = at + 1 + bytes.readInt32BE(at + 1);
      if (bytes.length < next) return null;
      if (type === "E") refusal = error_of(bytes.subarray(at + 5, next));
      // A FATAL error is the last thing that it says.
      if (type === "Z" || (refusal?.startsWith("FATAL") ?? false)) return { length: next, refusal };
      at = next;
    }
    return null;
  },
  passing: /^FATAL 57P0[13] /,
});

/** "FATAL 57P03 the database system is starting up" */
function error_of(fields: Buffer): string {
  const by_type = new Map(
    fields
      .toString()
      .split("\0")
      .map((field) => [field[0] ?? "", field.slice(1)]),
  );
  return ["V", "C", "M"].map((type) => by_type.get(type) ?? "").join(" ");
}

function with_length(body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length + 4);
  return Buffer.concat([length, body]);
}

export const redis_protocol = (address: Protocol["address"]): Protocol => ({
  address,
  hello: Buffer.from("PING\r\n"),
  write: (number) => Buffer.from(`RPUSH written ${number}\r\n`),
  // Each of them is answered with one line.
  answer(bytes) {
    const end = bytes.indexOf("\r\n");
    if (end < 0) return null;
    const line = bytes.toString("latin1", 0, end);
    return { length: end + 2, refusal: line.startsWith("-") ? line.slice(1) : null };
  },
  passing: /^LOADING /,
});

/** MariaDB as user `writer` without a password, in the database `app`. The server's greeting isn't waited for: nothing depends on it. */
export const mariadb_protocol = (address: Protocol["address"]): Protocol => {
  const packet = (sequence: number, body: Buffer): Buffer => {
    const head = Buffer.alloc(4);
    head.writeUIntLE(body.length, 0, 3);
    head[3] = sequence;
    return Buffer.concat([head, body]);
  };
  // With a database, protocol 4.1, secure connection, by plugin.
  const login = Buffer.alloc(32);
  login.writeUInt32LE(0x8 | 0x200 | 0x8000 | 0x80000, 0);
  login.writeUInt32LE(1 << 24, 4);
  login[8] = 45; // utf8mb4
  const names = Buffer.from("writer\0\0app\0mysql_native_password\0");
  return {
    address,
    hello: packet(1, Buffer.concat([login, names])),
    write: (number) => packet(0, Buffer.from(`\x03insert into app.written values (${number})`)),
    answer(bytes) {
      for (let at = 0; bytes.length >= at + 5;) {
        const next = at + 4 + bytes.readUIntLE(at, 3);
        if (bytes.length < next) return null;
        const greeting = bytes[at + 3] === 0 && bytes[at + 4] === 10;
        if (!greeting) {
          const refused = bytes[at + 4] !== 0;
          const code = bytes[at + 4] === 255 ? bytes.readUInt16LE(at + 5) : "unknown";
          const text = bytes.toString("latin1", at + 7, next);
          return { length: next, refusal: refused ? `${code} ${text}` : null };
        }
        at = next;
      }
      return null;
    },
    // Its shutdown kills connections.
    passing: /^(1053|1927) /,
  };
};
