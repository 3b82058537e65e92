// What is backed up comes back as it was, or is told not to; and nothing in an archive is believed.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { zstdCompressSync } from "node:zlib";
import { type Headers, pack as tar_pack } from "tar-stream";
import { archive } from "../../src/backup/archive.ts";
import { Meter } from "../../src/backup/meter.ts";
import { BadArchive, unpack } from "../../src/backup/unpack.ts";
import { sh } from "../support/file-systems.ts";
import { requires } from "../support/requires.ts";
import { a_store, back_up, fill, meter, scratch } from "./backups.ts";

/** Everything about a tree that a restore has to bring back. */
function picture(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .toSorted()
    .map((path) => {
      const stat = lstatSync(join(folder, path));
      const content = stat.isSymbolicLink()
        ? readlinkSync(join(folder, path))
        : stat.isFile()
          ? createHash("sha256")
              .update(readFileSync(join(folder, path)))
              .digest("hex")
          : "";
      const time = stat.isSymbolicLink() ? 0 : Math.floor(stat.mtimeMs / 1000);
      return `${path} ${stat.mode.toString(8)} ${stat.uid}:${stat.gid} ${stat.nlink} ${time} ${content}`;
    });
}

test("contents, owners, modes, times, links, holes and long names come back; sockets and our own folders stay out", async (t) => {
  if (!requires(t, "root")) return;
  const folder = scratch(t);
  const data = join(folder, "data");
  const long = `${"d".repeat(200)}/${"e".repeat(200)}/${"f".repeat(200)}`;
  fill(data, {
    "a/b": "b",
    empty: "",
    "a/\u00e4 \n\u{1f600}": "odd",
    [long]: "long",
    ".leasehold/volume.json": "{}",
  });
  writeFileSync(join(data, "large"), Buffer.alloc(5 << 20, "x"));
  truncateSync(join(data, "large"), 64 << 20);
  mkdirSync(join(data, "lost+found"));
  mkdirSync(join(data, "shared"), { mode: 0o2770 });
  chmodSync(join(data, "shared"), 0o3770);
  linkSync(join(data, "a/b"), join(data, "z"));
  symlinkSync("../a/b", join(data, "shared/link"));
  symlinkSync("nowhere", join(data, "dangling"));
  chmodSync(join(data, "empty"), 0o400);
  chownSync(join(data, "a/b"), 1234, 4321);
  chownSync(data, 1234, 0);
  chmodSync(data, 0o700);
  utimesSync(join(data, "a"), 1e9, 1e9);
  sh('mkfifo "$1"', join(data, "pipe"));
  const store = a_store(folder);
  const manifest = await back_up(store, data);
  const before = picture(data).filter((line) => !/^(pipe|\.leasehold|lost\+found)/.test(line));
  const into = join(folder, "into");
  mkdirSync(into);
  await unpack(store.archive(manifest.id), manifest, into, meter());
  assert.deepEqual(picture(into), before);
  assert.deepEqual([lstatSync(into).uid, lstatSync(into).mode & 0o7777], [1234, 0o700]);
  assert.ok(statSync(join(into, "large")).blocks * 512 < 8 << 20, "a hole is one again");
  assert.equal(manifest.entries, before.length + 1);
});

test("what can't be restored is not backed up, and nothing that counts is left", async (t) => {
  const folder = scratch(t);
  const store = a_store(folder);
  const bad: Readonly<Record<string, (data: string) => void>> = {
    "is a link that leaves the directory": (data) => symlinkSync("/etc/passwd", join(data, "l")),
    "set-uid": (data) => chmodSync(join(data, "a"), 0o4755),
    "no UTF-8": (data) => writeFileSync(Buffer.concat([Buffer.from(`${data}/`), Buffer.from([0xff])]), ""),
  };
  for (const [why, spoil] of Object.entries(bad)) {
    const data = join(folder, `data ${why}`);
    fill(data, { a: "a" });
    spoil(data);
    await assert.rejects(
      back_up(store, data),
      new RegExp(`${why}.*; stop what writes to it, or give --backup-with`),
    );
    assert.deepEqual(store.list(), []);
  }
});

test("a backup is a picture of one moment, or none: a change anywhere while it is read fails it", async (t) => {
  const folder = scratch(t);
  const changes: Readonly<Record<string, (data: string) => void>> = {
    "a file that was read already": (data) => appendFileSync(join(data, "a"), "!"),
    "a file that comes later": (data) => writeFileSync(join(data, "z"), "other"),
    "a new one": (data) => writeFileSync(join(data, "a2"), ""),
    "the same bytes again": (data) => writeFileSync(join(data, "a"), "a"),
  };
  for (const [what, change] of Object.entries(changes)) {
    const data = join(folder, what);
    fill(data, { a: "a", b: Buffer.alloc(3 << 20), z: "z" });
    let changed = false;
    const spy = new Meter("testing", () => {});
    spy.add = () => {
      if (!changed) change(data);
      changed = true;
    };
    await assert.rejects(
      archive(data, join(folder, `${what}.archive`), spy),
      /changed while it was read/,
      what,
    );
  }
});

// ---- archives that nobody of ours has made ----

type Part = Headers & { content?: string };

async function made(t: TestContext, parts: readonly Part[], change = (bytes: Buffer): Buffer => bytes) {
  const folder = scratch(t);
  const pack = tar_pack();
  for (const { content = "", ...header } of parts) pack.entry(header, content);
  pack.finalize();
  const bytes = change(zstdCompressSync(await buffer(pack)));
  const path = join(folder, "archive");
  writeFileSync(path, bytes);
  const into = join(folder, "in/to");
  mkdirSync(into, { recursive: true });
  const sizes = parts.map(({ content = "" }) => Buffer.byteLength(content));
  const said = {
    bytes: sizes.reduce((sum, size) => sum + size, 0),
    entries: parts.length,
    stored_bytes: bytes.length,
    sha256: createHash("sha256").update(bytes).digest("hex"),
  };
  return { folder, path, into, said };
}

const outside: Readonly<Record<string, readonly Part[]>> = {
  "an absolute path": [{ name: "/tmp/x", content: "x" }],
  "..": [{ name: "../x", content: "x" }],
  ".. in the middle": [
    { name: "a", type: "directory" },
    { name: "a/../../x", content: "x" },
  ],
  "a link out, and a file through it": [
    { name: "l", type: "symlink", linkname: ".." },
    { name: "l/x", content: "x" },
  ],
  "an absolute link": [{ name: "l", type: "symlink", linkname: "/etc" }],
  "two links that together lead out": [
    { name: "here", type: "symlink", linkname: "." },
    { name: "l", type: "symlink", linkname: "here/.." },
  ],
  "a link inside, and a file through it": [
    { name: "d", type: "directory" },
    { name: "l", type: "symlink", linkname: "d" },
    { name: "l/x", content: "x" },
  ],
  "a link, then a file of its name": [
    { name: "l", type: "symlink", linkname: "x" },
    { name: "l", content: "x" },
  ],
  "a directory, then a link in its place": [
    { name: "d", type: "directory" },
    { name: "d", type: "symlink", linkname: "x" },
  ],
  "a hard link out": [{ name: "h", type: "link", linkname: "../x" }],
  "a hard link to an absolute path": [{ name: "h", type: "link", linkname: "/etc/passwd" }],
  "a hard link to a symlink": [
    { name: "l", type: "symlink", linkname: "x" },
    { name: "h", type: "link", linkname: "l" },
  ],
  "a file twice": [
    { name: "a", content: "1" },
    { name: "a", content: "2" },
  ],
  "a device": [{ name: "d", type: "character-device", devmajor: 1, devminor: 3 }],
  "a block device": [{ name: "d", type: "block-device", devmajor: 7, devminor: 0 }],
  "a pipe": [{ name: "p", type: "fifo" }],
  "a program that runs as its owner": [{ name: "s", mode: 0o4755, content: "x" }],
  "a file below a file": [
    { name: "a", content: "x" },
    { name: "a/b", content: "x" },
  ],
  "a file below nothing": [{ name: "a/b", content: "x" }],
};
for (const [what, parts] of Object.entries(outside)) {
  test(`an archive that holds ${what} is refused, and nothing is outside of the target`, async (t) => {
    const { folder, path, into, said } = await made(t, parts);
    await assert.rejects(unpack(path, said, into, meter()), BadArchive);
    assert.deepEqual(readdirSync(folder).toSorted(), ["archive", "in"]);
    assert.deepEqual(readdirSync(join(folder, "in")), ["to"]);
    assert.ok(!existsSync("/tmp/x"));
  });
}

test("more than was declared is not taken: files, bytes, and what is in no file", async (t) => {
  const parts = [
    { name: "a", content: "x".repeat(100) },
    { name: "b", content: "y" },
  ];
  const { path, said, folder } = await made(t, parts);
  let turn = 0;
  const refused = async (change: Partial<typeof said>, why: RegExp): Promise<void> => {
    const into = join(folder, String(turn++));
    mkdirSync(into);
    await assert.rejects(unpack(path, { ...said, ...change }, into, meter()), why);
  };
  await refused({ entries: 1 }, /holds more than its manifest says/);
  await refused({ bytes: 100 }, /holds more than its manifest says/);
  await refused({ entries: 3 }, /holds less than its manifest says/);
  await refused({ bytes: 102 }, /holds less than its manifest says/);
  await refused({ stored_bytes: said.stored_bytes + 1 }, /bytes, and its manifest says/);
  await refused({ sha256: "f".repeat(64) }, /doesn't have the SHA-256/);
  // A gigabyte of zeros in a few kilobytes: of one file, and after the end of the archive.
  const bomb = await made(t, parts, () => zstdCompressSync(Buffer.alloc(64 << 20)));
  await assert.rejects(
    unpack(bomb.path, bomb.said, bomb.into, meter()),
    /unpacks to more than|less than its manifest/,
  );
  const huge = await made(t, [{ name: "a", content: "x".repeat(32 << 20) }]);
  await assert.rejects(
    unpack(huge.path, { ...huge.said, bytes: 1000 }, huge.into, meter()),
    /more than its manifest says/,
  );
});

test("every cut and every flipped bit is seen", async (t) => {
  const { path, said, into } = await made(t, [
    { name: "a", content: "hello".repeat(1000) },
    { name: "b", content: "b" },
  ]);
  const whole = readFileSync(path);
  await unpack(path, said, null, meter());
  for (let at = 0; at < whole.length; at += 7) {
    for (const bytes of [whole.subarray(0, at), flipped(whole, at)]) {
      writeFileSync(path, bytes);
      await assert.rejects(unpack(path, said, null, meter()), BadArchive, `at ${at}`);
    }
  }
  assert.deepEqual(readdirSync(into), []);
});

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(at) ^ (1 << (at % 8)), at);
  return copy;
}
