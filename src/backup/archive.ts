// The archive of a tree: tar, compressed by zstd, its SHA-256 taken as it is written. One pass, memory flat.

import { closeSync, createWriteStream, fstatSync, openSync, readSync, constants } from "node:fs";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { pack as tar_pack, type Pack } from "tar-stream";
import { quoted } from "../config/quoted.ts";
import type { Entry } from "./entry.ts";
import { frame_bytes, frames } from "./frames.ts";
import type { Meter } from "./meter.ts";
import { stamp_of, Unfit, walk } from "./tree.ts";

export type Archived = { bytes: number; entries: number; stored_bytes: number; sha256: string };

const chunk_bytes = 1 << 20;

/**
 * Writes all of root into the new file `path`. It is a picture of one moment, or none: what was changed between the first look and
 * the last throws Unfit. (What is written through a memory map may be changed unseen.)
 */
export async function archive(root: string, path: string, meter: Meter): Promise<Archived> {
  const before = fingerprint(root);
  meter.total(before.bytes);
  const pack = tar_pack();
  const feeding = feed(pack, root, meter);
  // The pack's own end says what went wrong.
  feeding.catch((error: unknown) => pack.destroy(error instanceof Error ? error : new Error(String(error))));
  const hash = process.getBuiltinModule("node:crypto").createHash("sha256");
  let stored_bytes = 0;
  const tap = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      stored_bytes += chunk.length;
      done(null, chunk);
    },
  });
  const file = createWriteStream(path, { flags: "wx", flush: true });
  await pipeline(
    Readable.from(frames(in_frames(pack)), { objectMode: false, highWaterMark: chunk_bytes }),
    tap,
    file,
  );
  await feeding;
  const after = fingerprint(root);
  if (after.sum !== before.sum) throw new Unfit("it was changed while it was read");
  const { bytes, entries } = before;
  return { bytes, entries, stored_bytes, sha256: hash.digest("hex") };
}

/** Of all that there is, without the contents. */
function fingerprint(root: string): { bytes: number; entries: number; sum: string } {
  const hash = process.getBuiltinModule("node:crypto").createHash("sha256");
  let [bytes, entries] = [0, 0];
  for (const { entry, stamp } of walk(root)) {
    hash.update(`${entry.path}\0${stamp}\0`);
    bytes += entry.size;
    entries += 1;
  }
  return { bytes, entries, sum: hash.digest("hex") };
}

async function feed(pack: Pack, root: string, meter: Meter): Promise<void> {
  for (const { entry, stamp } of walk(root)) {
    await (entry.kind === "file" && entry.size > 0
      ? put_file(pack, root, entry, stamp, meter)
      : put(pack, entry));
    meter.entry();
  }
  pack.finalize();
}

function header_of({ path, kind, size, mode, uid, gid, mtime_ms, target }: Entry) {
  const type = kind === "hardlink" ? ("link" as const) : kind;
  const name = path === "" ? "./" : path;
  return {
    ...{ name, type, size, mode, uid, gid, mtime: new Date(mtime_ms) },
    ...(target !== "" && { linkname: target }),
  };
}

function put(pack: Pack, entry: Entry): Promise<void> {
  return new Promise((resolve, reject) => {
    const sink = pack.entry(header_of(entry), (error) => (error ? reject(error) : resolve()));
    sink.end();
  });
}

async function put_file(pack: Pack, root: string, entry: Entry, stamp: string, meter: Meter): Promise<void> {
  const fd = openSync(`${root}/${entry.path}`, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const changed = (): Unfit => new Unfit(`${quoted(entry.path)} was changed while it was read`);
    if (stamp_of(fstatSync(fd, { bigint: true })) !== stamp) throw changed();
    let done: (error?: Error | null) => void = () => {};
    const ended = new Promise<void>((resolve, reject) => {
      done = (error) => (error ? reject(error) : resolve());
    });
    ended.catch(() => {}); // it is awaited below, unless the file ends early
    const sink = pack.entry(header_of(entry), (error) => done(error));
    for (let left = entry.size; left > 0;) {
      const chunk = Buffer.allocUnsafe(Math.min(left, chunk_bytes));
      const got = readSync(fd, chunk, 0, chunk.length, null);
      if (got === 0) throw changed();
      left -= got;
      meter.add(got);
      if (!sink.write(chunk.subarray(0, got)))
        await Promise.race([new Promise<void>((resolve) => sink.once("drain", resolve)), ended]);
    }
    sink.end();
    await ended;
  } finally {
    closeSync(fd);
  }
}

/** As much as is compressed together. Of small files a tar is made in pieces of half a kilobyte. */
async function* in_frames(pack: Pack): AsyncGenerator<Buffer> {
  let waiting: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of pack) {
    waiting.push(chunk);
    bytes += chunk.length;
    if (bytes < frame_bytes) continue;
    yield Buffer.concat(waiting, bytes);
    [waiting, bytes] = [[], 0];
  }
  if (bytes > 0) yield Buffer.concat(waiting, bytes);
}
