// The demo's app: a small data store that knows nothing of clusters. One log file; a write is acknowledged when it is on the disk.
//
//   node store.ts DATA SOCKET LIVES
//
// A line "set KEY VALUE" over the socket is answered by "ok SEQUENCE". Two copies on one log would write the same sequence number
// twice, which the next start finds. It also writes down when it lived, by the machine's clock: the figures of the demo come from there.

import {
  appendFileSync,
  closeSync,
  fdatasync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";

const [data = "", socket_path = "", lives = ""] = process.argv.slice(2);
const { LEASEHOLD_NODE: node = "?", LEASEHOLD_TOKEN: token = "0" } = process.env;

// ---- when it lived: the first and the last nanosecond, overwritten in place every millisecond ----

const life = openSync(join(lives, `${token}-${node}`), "w");
const began_ns = process.hrtime.bigint();
const stamp = (): void => {
  const both = Buffer.alloc(16);
  both.writeBigUInt64LE(began_ns, 0);
  both.writeBigUInt64LE(process.hrtime.bigint(), 8);
  writeSync(life, both, 0, 16, 0);
};
stamp();
setInterval(stamp, 1);

// ---- the log ----

mkdirSync(data, { recursive: true });
const log_path = join(data, "log");
appendFileSync(log_path, "");
const log = openSync(log_path, "a");
let sequence = replay(readFileSync(log_path, "utf8"));
let waiting: { line: string; done: () => void }[] = [];
let syncing = false;

/** The last sequence number. What a kill cut off in the middle of a line was never acknowledged. */
function replay(text: string): number {
  let last = 0;
  for (const line of text.split("\n").slice(0, -1)) {
    const number = Number(line.split(" ", 1)[0]);
    if (Number.isNaN(number)) continue; // cut off, and gone on behind it
    if (number !== last + 1) {
      process.stderr.write(
        `store: the log is corrupt: ${number} after ${last}; two copies have written to it\n`,
      );
      process.exit(3);
    }
    last = number;
  }
  if (text !== "" && !text.endsWith("\n")) writeSync(log, " cut\n");
  return last;
}

/** All writes that have come are written together, and synced once. */
function flush(): void {
  if (syncing || waiting.length === 0) return;
  syncing = true;
  const batch = waiting;
  waiting = [];
  writeSync(log, batch.map(({ line }) => line).join(""));
  fdatasync(log, (error) => {
    if (error) throw error;
    syncing = false;
    for (const { done } of batch) done();
    flush();
  });
}

// ---- the service ----

function serve(client: Socket): void {
  client.on("error", () => client.destroy());
  createInterface(client).on("line", (line) => {
    if (!line.startsWith("set ")) return void client.write("what?\n");
    const number = ++sequence;
    waiting.push({
      line: `${number} ${token} ${line.slice(4)}\n`,
      done: () => client.write(`ok ${number}\n`),
    });
    flush();
  });
}
rmSync(socket_path, { force: true });
createServer(serve).listen(socket_path);
process.on("SIGTERM", () => {
  stamp();
  closeSync(life);
  process.exit(0);
});
