// A TCP relay that counts the bytes of both directions.

import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import type { Ends } from "./services.ts";

export async function counting_relay(
  ends: Ends,
  to_port: number,
): Promise<{ port: number; bytes: () => number }> {
  let bytes = 0;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect({ port: to_port, host: "127.0.0.1" });
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on("data", (chunk: Buffer) => (bytes += chunk.length));
      from.on("error", () => to.destroy()).on("close", () => sockets.delete(from));
      from.pipe(to);
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  ends.after(async () => {
    for (const socket of sockets) socket.destroy();
    await once(server.close(), "close");
  });
  const address = server.address();
  return { port: typeof address === "object" && address ? address.port : 0, bytes: () => bytes };
}
