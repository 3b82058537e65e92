// What the servers themselves have counted since they were started, summed up.

import { connect } from "node:net";
import { etcd, zookeeper } from "./services.ts";

/** writes: what went through consensus. reads: all other requests, and messages of streams. */
export type Load = { writes: number; reads: number };

export async function load_of(backend: "etcd" | "zookeeper"): Promise<Load> {
  return backend === "etcd" ? load_of_etcd() : load_of_zookeeper();
}

/** /metrics: entries of the log, of which each member has all; messages that clients sent, each to one member. */
async function load_of_etcd(): Promise<Load> {
  const { endpoints } = await etcd();
  const texts = await Promise.all(
    endpoints.map(async ({ host, port }) => (await fetch(`http://${host}:${port}/metrics`)).text()),
  );
  const sum = (text: string, name: string): number =>
    [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "gm"))]
      .map(([, value]) => Number(value))
      .reduce((a, b) => a + b, 0);
  const writes = Math.max(...texts.map((text) => sum(text, "etcd_server_proposals_committed_total")));
  const all = texts.map((text) => sum(text, "grpc_server_msg_received_total")).reduce((a, b) => a + b, 0);
  return { writes, reads: all - writes };
}

/** srvr and mntr: the last transaction's number; packets that clients sent, each to one server. */
async function load_of_zookeeper(): Promise<Load> {
  const { servers } = await zookeeper();
  const all = await Promise.all(
    servers.map(async ({ port }) => {
      const zxid = /^Zxid: 0x([0-9a-f]+)$/m.exec(await four_letters(port, "srvr"))?.[1] ?? "0";
      const packets = /^zk_packets_received\s+(\d+)/m.exec(await four_letters(port, "mntr"))?.[1] ?? "0";
      return { writes: Number(BigInt(`0x${zxid}`) & 0xffffffffn), packets: Number(packets) };
    }),
  );
  const writes = Math.max(...all.map((one) => one.writes));
  return { writes, reads: all.reduce((sum, { packets }) => sum + packets, 0) - writes };
}

async function four_letters(port: number, word: string): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port, timeout: 2000 });
  socket.on("timeout", () => socket.destroy(new Error("ZooKeeper doesn't answer")));
  socket.write(word);
  let answer = "";
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}
