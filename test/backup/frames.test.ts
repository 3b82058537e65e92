// An archive of many frames is one stream: for us, however it is read, and for zstd itself.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { test } from "node:test";
import { constants, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { contents, frames, whole } from "../../src/backup/frames.ts";
import { requires } from "../support/requires.ts";

async function all_of(chunks: AsyncIterable<Buffer>): Promise<Buffer[]> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(Buffer.from(chunk));
  return all;
}

/** In chunks of this size. */
function read_in(bytes: Buffer, chunk: number): AsyncIterable<Buffer> {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += chunk) pieces.push(bytes.subarray(at, at + chunk));
  return Readable.from(pieces, { objectMode: false });
}

/** Of every kind of block: of one byte again and again, as it is, compressed; and empty. */
const content = fc.oneof(
  fc.nat(400_000).map((length) => Buffer.alloc(length)),
  fc.nat(300_000).map((length) => randomBytes(length)),
  fc.nat(60_000).map((length) => Buffer.from("all work and no play ".repeat(length / 16))),
);
const frame = fc
  .record({ content, checksum: fc.boolean(), sized: fc.boolean(), window: fc.constantFrom(0, 10, 17, 20) })
  .map(({ content, checksum, sized, window }) => ({
    content,
    bytes: zstdCompressSync(content, {
      params: {
        [constants.ZSTD_c_checksumFlag]: Number(checksum),
        [constants.ZSTD_c_contentSizeFlag]: Number(sized),
        ...(window > 0 && { [constants.ZSTD_c_windowLog]: window }),
      },
    }),
  }));

test("frames of every kind, one after the other, come back whole from chunks of any size", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(frame, { minLength: 1, maxLength: 6 }),
      fc.constantFrom(1009, 65_536, 1 << 20),
      async (all, chunk) => {
        const bytes = Buffer.concat(all.map((one) => one.bytes));
        const pieces = await all_of(whole(read_in(bytes, chunk)));
        assert.deepEqual(
          pieces.map(({ length }) => length),
          all.map((one) => one.bytes.length),
        );
        const plain = Buffer.concat(all.map((one) => one.content));
        assert.ok(Buffer.concat(await all_of(contents(read_in(bytes, chunk)))).equals(plain));
      },
    ),
    { numRuns: 150 },
  );
});

test("what isn't zstd, follows it, or ends too early is refused", async () => {
  const good = zstdCompressSync(randomBytes(1000));
  const after = [randomBytes(100), Buffer.from("BAD! and more"), good.subarray(0, 3), good.subarray(0, -1)];
  for (const bad of after) {
    for (const bytes of [bad, Buffer.concat([good, bad])]) {
      assert.deepEqual(Buffer.concat(await all_of(whole(read_in(bytes, 64)))), bytes);
      await assert.rejects(all_of(contents(read_in(bytes, 64))), Error);
    }
  }
});

test("a frame is taken into memory, so it may not be large: as it is stored, or as it unpacks", async () => {
  const stored = Buffer.concat([
    zstdCompressSync(Buffer.from("good")),
    Buffer.from("BAD!"),
    Buffer.alloc(20 << 20),
  ]);
  const bomb = zstdCompressSync(Buffer.alloc(64 << 20));
  for (const bytes of [stored, bomb])
    await assert.rejects(all_of(contents(read_in(bytes, 1 << 20))), /more than 16777216 bytes/);
});

test("zstd itself reads what we write", async (t) => {
  if (!requires(t, "zstd")) return;
  const chunks = [randomBytes(100_000), Buffer.alloc(5 << 20), Buffer.from("end")];
  const bytes = await all_of(frames(Readable.from(chunks)));
  assert.equal(bytes.length, 3);
  const read = execFileSync("zstd", ["-dc"], { input: Buffer.concat(bytes), maxBuffer: 8 << 20 });
  assert.ok(read.equals(Buffer.concat(chunks)));
});
