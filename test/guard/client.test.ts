// The client against a peer on a real socket, which answers as the test says.

import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Guard, type GuardOptions } from "../../src/guard/client.ts";
import type { GuardEvent } from "../../src/guard/events.ts";
import { frame } from "../../src/guard/frames.ts";
import { GuardLost } from "../../src/errors.ts";

const hello = { cap_ms: 1000, grace_ms: 0, stop_signal: 15, scope: "main" as const, json_log: false };

type Peer = {
  guard: Promise<Guard>;
  events: GuardEvent[];
  lost: GuardLost[];
  /** Sends the guard's next frame. */
  send: (type: number, ...words: number[]) => void;
  /** The next order's type, and its answer. */
  answer: (status: number) => Promise<number>;
  socket: Socket;
};

async function peer(t: TestContext, options: Partial<GuardOptions> = {}): Promise<Peer> {
  const folder = mkdtempSync(join(tmpdir(), "leasehold-client-"));
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(join(folder, "socket"), resolve));
  const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
  const ours = connect(join(folder, "socket"));
  const socket = await accepted;
  t.after(() => {
    ours.destroy();
    socket.destroy();
    server.close();
    rmSync(folder, { recursive: true });
  });
  const events: GuardEvent[] = [];
  const lost: GuardLost[] = [];
  const guard = Guard.connect({
    hello,
    socket: ours,
    on_event: (event) => events.push(event),
    on_lost: (error) => lost.push(error),
    ...options,
  });
  guard.catch(() => {});
  let sequence = 0;
  const send = (type: number, ...words: number[]): void => {
    const payload = Buffer.alloc(4 * words.length);
    words.forEach((word, i) => payload.writeUInt32LE(word, 4 * i));
    socket.write(frame(type, ++sequence, 1_000n, payload));
  };
  let got = Buffer.alloc(0);
  let wake = (): void => {};
  socket.on("data", (chunk: Buffer) => {
    got = Buffer.concat([got, chunk]);
    wake();
  });
  const answer = async (status: number): Promise<number> => {
    while (got.length < 24 || got.length < 24 + got.readUInt32LE(4))
      await new Promise<void>((r) => (wake = r));
    const [type, order] = [got.readUInt8(3), got.readUInt32LE(8)];
    got = got.subarray(24 + got.readUInt32LE(4));
    if (status >= 0) send(65, order, status);
    return type;
  };
  return { guard, events, lost, send, answer, socket };
}

async function connected(
  t: TestContext,
  options: Partial<GuardOptions> = {},
): Promise<Peer & { client: Guard }> {
  const p = await peer(t, options);
  p.send(64, 1, 0, 42);
  assert.equal(await p.answer(0), 1);
  return { ...p, client: await p.guard };
}

test("a change of mounts that comes with the welcome is answered after the hello", async (t) => {
  const { send, answer, guard, socket } = await peer(t);
  socket.cork();
  send(64, 1, 0, 42);
  send(72);
  socket.uncork();
  assert.deepEqual([await answer(0), await answer(0)], [1, 5]);
  await guard;
});

test("it says hello after the welcome, and every order gets its own answer", async (t) => {
  const p = await connected(t);
  const first = p.client.deadline(1n, 5n);
  const second = p.client.kill(1n, false);
  assert.equal(await p.answer(2), 2);
  assert.equal(await p.answer(0), 6);
  assert.deepEqual(await Promise.all([first, second]), ["beyond", "done"]);
});

test("events come in the guard's order, answers are not among them", async (t) => {
  const p = await connected(t);
  p.send(66, 1, 0, 7);
  p.send(67, 1, 0, 0, 3);
  p.send(69, 1, 0, 1);
  const answer = p.client.exit(3);
  await p.answer(0);
  await answer;
  assert.deepEqual(
    p.events.map(({ event }) => event),
    ["welcome", "started", "exited", "empty"],
  );
});

test("a kill at the deadline is answered with a sign of life", async (t) => {
  const p = await connected(t);
  p.send(68, 1, 0, 1);
  assert.equal(await p.answer(0), 5);
});

test("so is a change of the mounts: the guard tells the next one only after that", async (t) => {
  const p = await connected(t);
  p.send(72);
  assert.equal(await p.answer(0), 5);
});

test("no answer in time is an error, and a late answer is refused", async (t) => {
  const p = await connected(t, { timeout_ms: 20 });
  await assert.rejects(p.client.kill(1n, false), /did not answer kill within 20 ms/);
  await p.answer(0);
  const next = p.client.taken(0);
  await p.answer(3);
  assert.equal(await next, "late");
});

test("the end of the stream: every open order fails, lost is told once, later orders fail at once", async (t) => {
  const p = await connected(t);
  const open = [p.client.kill(1n, false), p.client.taken(0)].map((order) => assert.rejects(order, GuardLost));
  p.socket.end();
  await Promise.all(open);
  await assert.rejects(p.client.exit(0), /the guard's socket was lost: it ended/);
  assert.equal(p.lost.length, 1);
});

test("a stream that ends in the middle of a frame says so", async (t) => {
  const p = await connected(t);
  p.socket.end("LH");
  await assert.rejects(p.client.taken(0), /in the middle of a frame/);
});

test("garbage from the guard is the loss of the guard", async (t) => {
  const p = await connected(t);
  p.socket.write("HTTP/1.1 400 Bad Request\r\n\r\n");
  await assert.rejects(p.client.taken(0), /does not begin with LH/);
});

test("a guard of another version is refused", async (t) => {
  const p = await peer(t);
  p.send(64, 2, 0, 42);
  await assert.rejects(p.guard, /the guard speaks version 2, not 1/);
});

test("without the guard's descriptor there is one sentence, no stack", async () => {
  const file = openSync("/dev/null", "r");
  const options = { hello, on_event: () => {}, on_lost: () => {} };
  await assert.rejects(
    Guard.connect({ ...options, fd: file }),
    /is not the guard's socket; start leasehold itself/,
  );
  closeSync(file);
  await assert.rejects(Guard.connect({ ...options, fd: 999 }), /descriptor 999 is not the guard's socket/);
});

test("release records are appended, each registered by its own offset", async (t) => {
  const p = await connected(t);
  const folder = mkdtempSync(join(tmpdir(), "leasehold-release-"));
  const memfd = openSync(join(folder, "memfd"), "w+");
  t.after(() => {
    closeSync(memfd);
    rmSync(folder, { recursive: true });
  });
  for (const record of ["first", "second"]) {
    const answer = p.client.register_release(
      Buffer.from(record),
      { drain_ms: 1, release_ms: 1, paths: [] },
      memfd,
    );
    assert.equal(await p.answer(0), 7);
    assert.equal(await answer, "done");
  }
  assert.equal(readFileSync(join(folder, "memfd"), "utf8"), "firstsecond");
});
