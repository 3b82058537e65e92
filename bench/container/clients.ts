// The load of `failing`: closed-loop clients, each with one connection and one request at a time, for so many seconds. Who fails thinks
// for a second, then connects again.
//
//   node bench/container/clients.ts redis|postgres HOST PORT CLIENTS SECONDS
//
// It writes JSON: requests answered, and every failure: how it failed, and when.

import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { postgres_protocol, redis_protocol } from "../../test/support/database-protocols.ts";

type Failure = { at_ms: number; how: string };
export type Load = { answered: number; failures: Failure[]; per_second: number[] };

const thought_ms = 1000;
/** A request that hangs has failed. */
const patience_ms = 10_000;

if (import.meta.main) {
  const [kind = "", host = "", port = "", clients = "", seconds = ""] = process.argv.slice(2);
  const protocol = { redis: redis_protocol, postgres: postgres_protocol }[kind];
  if (!protocol) throw new Error(`no protocol for ${kind}`);
  const { hello, answer } = protocol({ host, port: Number(port) });
  const query = Buffer.from("select number from written where number = 1\0");
  const length = Buffer.alloc(4);
  length.writeInt32BE(query.length + 4);
  const request =
    kind === "redis" ? Buffer.from("SET key value\r\n") : Buffer.concat([Buffer.from("Q"), length, query]);

  const begun_ms = performance.now();
  const end_ms = begun_ms + Number(seconds) * 1000;
  const load: Load = { answered: 0, failures: [], per_second: [] };

  /** Until it fails or the time is over. How it failed. */
  const talk = (): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect({ host, port: Number(port) }).setNoDelay();
      let [connected, greeted] = [false, false];
      let bytes: Buffer = Buffer.alloc(0);
      const fail = (how: string): void => {
        socket.destroy();
        resolve(how);
      };
      socket.setTimeout(patience_ms, () => fail("no answer"));
      socket.on("connect", () => ((connected = true), socket.write(hello)));
      socket.on("error", ({ code }: NodeJS.ErrnoException) =>
        fail(connected ? "connection lost" : `${code}`),
      );
      socket.on("close", () => fail(greeted ? "connection lost" : "no connection"));
      socket.on("data", (chunk: Buffer) => {
        bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
        const got = answer(bytes);
        if (got === null) return;
        bytes = bytes.subarray(got.length);
        if (got.refusal !== null) return fail(`refused: ${got.refusal}`);
        if (greeted) {
          load.answered += 1;
          const second = Math.floor((performance.now() - begun_ms) / 1000);
          load.per_second[second] = (load.per_second[second] ?? 0) + 1;
        }
        greeted = true;
        if (performance.now() >= end_ms) return fail("over");
        socket.write(request);
      });
    });
  const client = async (): Promise<void> => {
    while (performance.now() < end_ms) {
      const how = await talk();
      if (how === "over") return;
      load.failures.push({ at_ms: performance.now() - begun_ms, how });
      await sleep(thought_ms);
    }
  };
  await Promise.all(Array.from({ length: Number(clients) }, client));
  for (let at = 0; at < load.per_second.length; at++) load.per_second[at] ??= 0;
  console.log(JSON.stringify(load));
}
