// Servers that say what they are told to say, for those that can't be had as packages: as much of each protocol as a readiness
// check meets.

import { once } from "node:events";
import { createServer, type Socket } from "node:net";

type Owner = { after(end: () => void | Promise<void>): void };

export type StandIn = { port: number; received: () => string };

/** Listens for as long as the test lasts. greet: on each connection; answer: to what came first on it. */
export async function stand_in(
  t: Owner,
  say: { greeting?: Uint8Array; answer?: Uint8Array | ((bytes: Buffer) => Uint8Array); ends?: boolean },
): Promise<StandIn> {
  const sockets = new Set<Socket>();
  let received = "";
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    if (say.greeting) socket.write(say.greeting);
    if (say.ends === true) socket.end();
    socket.on("data", (chunk: Buffer) => {
      received += chunk.toString("latin1");
      const { answer } = say;
      if (answer) socket.write(typeof answer === "function" ? answer(chunk) : answer);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return {
    port: address !== null && typeof address === "object" ? address.port : 0,
    received: () => received,
  };
}

/** A MySQL packet. */
export function mysql_packet(sequence: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(4);
  head.writeUIntLE(payload.length, 0, 3);
  head.writeUInt8(sequence, 3);
  return Buffer.concat([head, payload]);
}

/** What mongod answers to hello, with this in its document. */
export function mongodb_answer(elements: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat([Buffer.alloc(4), ...elements, Buffer.alloc(1)]);
  body.writeInt32LE(body.length, 0);
  const head = Buffer.alloc(21);
  head.writeInt32LE(head.length + body.length, 0);
  head.writeInt32LE(2013, 12);
  return Buffer.concat([head, body]);
}
export const bson = {
  bool: (name: string, value: boolean) => Buffer.from(`\x08${name}\0${value ? "\x01" : "\0"}`, "latin1"),
  double(name: string, value: number) {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(value);
    return Buffer.concat([Buffer.from(`\x01${name}\0`, "latin1"), bytes]);
  },
  int32(name: string, value: number) {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32LE(value);
    return Buffer.concat([Buffer.from(`\x10${name}\0`, "latin1"), bytes]);
  },
  string(name: string, value: string) {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32LE(value.length + 1);
    return Buffer.concat([Buffer.from(`\x02${name}\0`, "latin1"), bytes, Buffer.from(`${value}\0`)]);
  },
  object_id: (name: string) => Buffer.concat([Buffer.from(`\x07${name}\0`, "latin1"), Buffer.alloc(12, 1)]),
  document: (name: string) =>
    Buffer.concat([Buffer.from(`\x03${name}\0`, "latin1"), Buffer.from("\x05\0\0\0\0")]),
};
