// A directory tree, entry by entry, in an order in which it can be made again: a directory before what is in it.

import { lstatSync, readdirSync, readlinkSync, type BigIntStats } from "node:fs";
import { quoted } from "../config/quoted.ts";
import { type Entry, refusal_of } from "./entry.ts";

/** What is leasehold's or the file system's own at the top of a data directory, and neither backed up nor moved. */
export const not_data: ReadonlySet<string> = new Set([".leasehold", ".leasehold-restore", "lost+found"]);

export type Seen = { entry: Entry; stamp: string };

/** What can't be backed up, or was changed meanwhile. */
export class Unfit extends Error {}

/**
 * All of it. Sockets and pipes are left out: whoever listens there makes them anew. Throws Unfit for what no restore could bring
 * back; on a change in between whatever the file system says, or a stamp that is another one the next time.
 */
export function* walk(root: string): Generator<Seen> {
  const stack = [""];
  /** Of files with several names: the path that came first. */
  const links = new Map<string, string>();
  for (let path = stack.pop(); path !== undefined; path = stack.pop()) {
    const seen = look(root, path, links);
    if (seen === null) continue;
    yield seen;
    if (seen.entry.kind !== "directory") continue;
    const names = names_in(root, path).filter((name) => path !== "" || !not_data.has(name));
    for (const name of names.toReversed()) stack.push(path === "" ? name : `${path}/${name}`);
  }
}

/** In the order of their bytes. */
function names_in(root: string, path: string): string[] {
  const names = readdirSync(`${root}/${path}`, { encoding: "buffer" }).toSorted((a, b) =>
    Buffer.compare(a, b),
  );
  return names.map((bytes) => {
    const name = bytes.toString();
    if (Buffer.from(name).equals(bytes)) return name;
    throw new Unfit(`in ${quoted(path === "" ? root : path)} is a name that is no UTF-8, ${quoted(name)}`);
  });
}

function look(root: string, path: string, links: Map<string, string>): Seen | null {
  const full = path === "" ? root : `${root}/${path}`;
  // What the path leads to may be a link to a directory; below it none is followed.
  const stat = lstatSync(path === "" ? `${root}/.` : full, { bigint: true });
  const kind = stat.isDirectory() ? "directory" : stat.isSymbolicLink() ? "symlink" : "file";
  if (kind === "file" && !stat.isFile()) {
    if (stat.isSocket() || stat.isFIFO()) return null;
    throw new Unfit(`${quoted(path)} is a device`);
  }
  const inode = `${stat.dev}:${stat.ino}`;
  const first = kind === "file" && stat.nlink > 1n ? links.get(inode) : undefined;
  if (kind === "file" && stat.nlink > 1n && first === undefined) links.set(inode, path);
  const entry: Entry = {
    path,
    kind: first === undefined ? kind : "hardlink",
    size: kind === "file" && first === undefined ? Number(stat.size) : 0,
    mode: Number(stat.mode & 0o7777n),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    mtime_ms: Number(stat.mtimeMs),
    target: first ?? (kind === "symlink" ? readlinkSync(full) : ""),
  };
  const refusal = refusal_of(entry);
  if (refusal !== null) throw new Unfit(`${quoted(path)} ${refusal}`);
  return { entry, stamp: stamp_of(stat) };
}

/** Another one after every change of content, size, owner, mode or name. */
export function stamp_of(stat: BigIntStats): string {
  return `${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`;
}
