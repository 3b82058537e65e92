// An archive of many frames is one stream: for us, however it is read, and for zstd itself.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { test } from "node:test";
import { constants, createZstdDecompress, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { cut_at_ends, frames } from "../../src/backup/frames.ts";
import { requires } from "../support/requires.ts";

async function all_of(chunks: AsyncIterable<Buffer>): Promise<Buffer[]> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(Buffer.from(chunk));
  return all;
}

/** As the archive is read, in chunks of this size. */
async function decompressed(bytes: Buffer, chunk: number, output: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += chunk) pieces.push(bytes.subarray(at, at + chunk));
  const plain: Buffer[] = [];
  await pipeline(
    Readable.from(pieces, { objectMode: false }),
    cut_at_ends,
    createZstdDecompress({ chunkSize: output }),
    new Writable({
      write(piece: Buffer, _encoding, done) {
        plain.push(piece);
        done();
      },
    }),
  );
  return Buffer.concat(plain);
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

test("frames of every kind, one after the other, come back whole in chunks of any size, cut at their ends", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(frame, { minLength: 1, maxLength: 6 }),
      fc.constantFrom(1009, 65_536, 1 << 20),
      fc.constantFrom(3000, 65_536, 1 << 20),
      async (all, chunk, output) => {
        const bytes = Buffer.concat(all.map((one) => one.bytes));
        const plain = Buffer.concat(all.map((one) => one.content));
        assert.ok((await decompressed(bytes, chunk, output)).equals(plain));
        const pieces = await all_of(cut_at_ends(Readable.from([bytes], { objectMode: false })));
        assert.deepEqual(
          pieces.map(({ length }) => length),
          all.map((one) => one.bytes.length),
        );
      },
    ),
    { numRuns: 150 },
  );
});

test("what isn't zstd, or follows it, is passed on as it is, and refused by the decompressor", async () => {
  const good = zstdCompressSync(Buffer.from("good"));
  for (const bad of [randomBytes(100), Buffer.from("BAD! and more"), good.subarray(0, 3)]) {
    const bytes = Buffer.concat([good, bad]);
    const pieces = await all_of(cut_at_ends(Readable.from([bytes], { objectMode: false })));
    assert.deepEqual(Buffer.concat(pieces), bytes);
    await assert.rejects(decompressed(bytes, 64, 64), Error);
  }
});

test("zstd itself reads what we write", async (t) => {
  if (!requires(t, "zstd")) return;
  const chunks = [randomBytes(100_000), Buffer.alloc(5 << 20), Buffer.from("end")];
  const bytes = await all_of(frames(Readable.from(chunks)));
  assert.equal(bytes.length, 3);
  const read = execFileSync("zstd", ["-dc"], { input: Buffer.concat(bytes), maxBuffer: 8 << 20 });
  assert.ok(read.equals(Buffer.concat(chunks)));
});
