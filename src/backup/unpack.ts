// An archive read back: checked only, or written into a directory. Nothing of it is believed: every entry is judged before it is
// written, nothing is followed or replaced, and more than the manifest says is not taken.

import {
  closeSync,
  createReadStream,
  fchmodSync,
  fchownSync,
  ftruncateSync,
  chmodSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  symlinkSync,
  futimesSync,
  utimesSync,
  writeSync,
  constants,
} from "node:fs";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createZstdDecompress } from "node:zlib";
import { extract as tar_extract, type Entry as TarEntry, type Headers } from "tar-stream";
import { quoted } from "../config/quoted.ts";
import { type Entry, refusal_of } from "./entry.ts";
import type { Manifest } from "./manifest.ts";
import { cut_at_ends } from "./frames.ts";
import type { Meter } from "./meter.ts";

/** The archive isn't what its manifest says, or holds what must not be there. */
export class BadArchive extends Error {}

const chunk_bytes = 1 << 20;

/** What tar adds to an entry: its header, filling, and long names in a header of their own. */
const around_entry_bytes = 10_240;

export type Said = Pick<Manifest, "bytes" | "entries" | "stored_bytes" | "sha256">;

/**
 * Reads the archive to its end. into: an empty directory, which gets all of it, owners only when this process is root's; null: it is
 * only checked. Nothing is flushed. Throws BadArchive, or what the file system says.
 */
export async function unpack(path: string, said: Said, into: string | null, meter: Meter): Promise<void> {
  meter.total(said.bytes);
  const hash = process.getBuiltinModule("node:crypto").createHash("sha256");
  let stored_bytes = 0;
  const raw_max_bytes = said.bytes + said.entries * around_entry_bytes + chunk_bytes;
  let raw_bytes = 0;
  const stored = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      stored_bytes += chunk.length;
      done(null, chunk);
    },
  });
  const raw = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      raw_bytes += chunk.length;
      if (raw_bytes > raw_max_bytes) done(new BadArchive("it unpacks to more than its manifest says"));
      else done(null, chunk);
    },
  });
  const extract = tar_extract();
  const reading = pipeline(
    createReadStream(path, { highWaterMark: chunk_bytes }),
    stored,
    cut_at_ends,
    createZstdDecompress({ chunkSize: chunk_bytes }),
    raw,
    extract,
  );
  const taking = take_all(extract, said, into, meter);
  taking.catch((error: unknown) =>
    extract.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  const [read, taken] = await Promise.allSettled([reading, taking]);
  // Whoever stopped first says why; the other only that it was stopped.
  const reasons = [taken, read].flatMap((one) => (one.status === "rejected" ? [one.reason as unknown] : []));
  const first = reasons.find((reason) => reason instanceof BadArchive || is_system(reason)) ?? reasons[0];
  if (first !== undefined) throw told(first);
  if (stored_bytes !== said.stored_bytes)
    throw new BadArchive(`it has ${stored_bytes} bytes, and its manifest says ${said.stored_bytes}`);
  if (hash.digest("hex") !== said.sha256) throw new BadArchive("it doesn't have the SHA-256 of its manifest");
}

function is_system(reason: unknown): boolean {
  return reason instanceof Error && "syscall" in reason;
}

/** What zlib and tar say of damaged bytes is a plain Error. */
function told(reason: unknown): unknown {
  const plain = reason instanceof Error && reason.name === "Error" && !is_system(reason);
  return plain && !(reason instanceof BadArchive)
    ? new BadArchive(`it is damaged: ${reason.message}`)
    : reason;
}

async function take_all(
  entries: AsyncIterable<TarEntry>,
  said: Said,
  into: string | null,
  meter: Meter,
): Promise<void> {
  const writer = into === null ? null : new Writer(into);
  let [bytes, count] = [0, 0];
  for await (const tar of entries) {
    const entry = read_header(tar.header);
    const refusal = refusal_of(entry);
    if (refusal !== null) throw new BadArchive(`${quoted(entry.path)} in it ${refusal}`);
    count += 1;
    bytes += entry.size;
    if (count > said.entries || bytes > said.bytes)
      throw new BadArchive("it holds more than its manifest says");
    if (writer) await writer.put(entry, tar, meter);
    else for await (const chunk of tar) meter.add(chunk.length);
    meter.entry();
  }
  writer?.finish();
  if (count !== said.entries || bytes !== said.bytes)
    throw new BadArchive("it holds less than its manifest says");
}

const kinds: Readonly<Record<string, Entry["kind"]>> = {
  file: "file",
  "contiguous-file": "file",
  directory: "directory",
  symlink: "symlink",
  link: "hardlink",
};

function read_header({ name, type, size, mode, uid, gid, mtime, linkname }: Headers): Entry {
  const kind = kinds[type ?? "file"];
  if (kind === undefined) throw new BadArchive(`${quoted(name)} in it is a ${type ?? "thing"}, no file`);
  const path = name === "./" || name === "." ? "" : kind === "directory" ? name.replace(/\/$/, "") : name;
  return {
    ...{ path, kind },
    size: kind === "file" ? (size ?? 0) : 0,
    mode: (mode ?? 0o600) & 0o7777,
    uid: uid ?? 0,
    gid: gid ?? 0,
    mtime_ms: mtime?.getTime() ?? 0,
    target: kind === "symlink" || kind === "hardlink" ? (linkname ?? "") : "",
  };
}

const no_bytes = Buffer.alloc(chunk_bytes);

class Writer {
  readonly #root: string;
  readonly #as_root = process.geteuid?.() === 0;
  /** The directory that was found to be one, with all above it. */
  #parent = "";
  /** Owners, modes and times that are set at the end: writing into a directory needs a mode for it, and changes its time. */
  readonly #directories: Pick<Entry, "path" | "mode" | "mtime_ms">[] = [];

  constructor(root: string) {
    this.#root = root;
  }

  async put(entry: Entry, content: AsyncIterable<Buffer>, meter: Meter): Promise<void> {
    const { path, kind, target, uid, gid, mode, mtime_ms } = entry;
    const full = this.#path(path);
    switch (kind) {
      case "directory":
        if (path !== "") this.#new(path, () => mkdirSync(full, { mode: 0o700 }));
        if (this.#as_root) lchownSync(full, uid, gid);
        this.#directories.push({ path, mode, mtime_ms });
        break;
      case "symlink":
        this.#new(path, () => symlinkSync(target, full));
        if (this.#as_root) lchownSync(full, uid, gid);
        break;
      case "hardlink": {
        this.#enter(target);
        if (lstatSync(this.#path(target), { throwIfNoEntry: false })?.isFile() !== true)
          throw new BadArchive(`${quoted(path)} in it is a link to what is no file, ${quoted(target)}`);
        this.#new(path, () => linkSync(this.#path(target), full));
        break;
      }
      case "file":
        return this.#file(entry, full, content, meter);
    }
    for await (const _ of content); // none
  }

  async #file(entry: Entry, full: string, content: AsyncIterable<Buffer>, meter: Meter): Promise<void> {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const fd = this.#new(entry.path, () => openSync(full, flags, 0o600));
    try {
      let [at, hole] = [0, false];
      for await (const chunk of content) {
        // What was a hole, or never written, needs no room.
        hole = chunk.length >= 4096 && chunk.equals(no_bytes.subarray(0, chunk.length));
        if (!hole) write_all(fd, chunk, at);
        at += chunk.length;
        meter.add(chunk.length);
      }
      if (hole) ftruncateSync(fd, at);
      if (this.#as_root) fchownSync(fd, entry.uid, entry.gid);
      fchmodSync(fd, entry.mode);
      futimesSync(fd, new Date(entry.mtime_ms), new Date(entry.mtime_ms));
    } finally {
      closeSync(fd);
    }
  }

  /** Deepest first. */
  finish(): void {
    for (const { path, mode, mtime_ms } of this.#directories.toReversed()) {
      chmodSync(this.#path(path), mode);
      utimesSync(this.#path(path), new Date(mtime_ms), new Date(mtime_ms));
    }
  }

  #path(path: string): string {
    return path === "" ? this.#root : `${this.#root}/${path}`;
  }

  /** What is there already was there before the archive, or is in it twice. */
  #new<T>(path: string, make: () => T): T {
    this.#enter(path);
    try {
      return make();
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "EEXIST")
        throw new BadArchive(`${quoted(path)} is in it twice`);
      throw error;
    }
  }

  /** Everything above it has to be a directory, and no link to one. Nothing of it is ever replaced, so one look is enough. */
  #enter(path: string): void {
    const parent = path.slice(0, Math.max(0, path.lastIndexOf("/")));
    if (parent === this.#parent) return;
    const names = parent.split("/");
    for (const [index] of names.entries()) {
      const above = names.slice(0, index + 1).join("/");
      const stat = lstatSync(this.#path(above), { throwIfNoEntry: false });
      if (stat?.isDirectory() !== true)
        throw new BadArchive(`${quoted(path)} in it lies below what is no directory of it`);
    }
    this.#parent = parent;
  }
}

function write_all(fd: number, chunk: Uint8Array, position: number): void {
  for (let at = 0; at < chunk.length;) at += writeSync(fd, chunk, at, chunk.length - at, position + at);
}
