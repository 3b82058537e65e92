// What a server sends is taken apart whole, whatever pieces it comes in, and nothing that it sends does more than throw.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import * as wire from "../../src/lock/zookeeper/wire.ts";

const framed = (body: Uint8Array): Buffer => {
  const frame = Buffer.alloc(4 + body.length);
  frame.writeInt32BE(body.length);
  frame.set(body, 4);
  return frame;
};

test("messages come out as they went in, wherever the bytes are cut", () => {
  const bodies = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 });
  const cuts = fc.array(fc.nat(60), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(bodies, cuts, (messages, sizes) => {
      const all = Buffer.concat(messages.map(framed));
      const frames = new wire.Frames();
      const out: Buffer[] = [];
      for (let at = 0, turn = 0; at < all.length; turn += 1) {
        const size = (sizes[turn % sizes.length] ?? 0) + 1;
        out.push(...frames.push(all.subarray(at, at + size)));
        at += size;
      }
      assert.deepEqual(
        out.map((frame) => [...frame]),
        messages.map((message) => [...message]),
      );
    }),
  );
});

test("another protocol's bytes are told at once", () => {
  for (const text of [
    "HTTP/1.1 400 Bad Request\r\n",
    "SSH-2.0-x\r\n",
    "\u0015\u0003\u0001\u0000\u0002",
    "+OK hello\r\n",
  ]) {
    assert.throws(() => new wire.Frames().push(Buffer.from(text)), wire.NotZooKeeper);
  }
});

test("any bytes as an answer are read or refused", () => {
  const readers: ((bytes: Buffer) => unknown)[] = [
    wire.connect_response,
    wire.reply,
    wire.watch_event,
    wire.requests.get("/x").read,
    wire.requests.children("/x").read,
    wire.requests.exists("/x", true).read,
    wire.requests.exists_until("/x").read,
    wire.requests.set("/x", "", 0).read,
    wire.requests.multi([], "anyone").read,
  ];
  // Lengths in a message are small more often than by chance, so that more than the first field is read.
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 12 }),
    fc.nat(5).map((last) => Uint8Array.of(0, 0, 0, last)),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      for (const read of readers) {
        try {
          read(Buffer.concat(pieces));
        } catch (error) {
          assert.ok(error instanceof Error);
        }
      }
    }),
    { numRuns: 300 },
  );
});
