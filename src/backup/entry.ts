// What may be in an archive. The same judgement when one is made and when one is unpacked: what could not be restored is not
// backed up either. Pure.

import { quoted } from "../config/quoted.ts";

export type Entry = {
  /** From the data directory on, without ./ and / at its end; "" is the directory itself. */
  path: string;
  kind: "file" | "directory" | "symlink" | "hardlink";
  size: number;
  mode: number;
  uid: number;
  gid: number;
  mtime_ms: number;
  /** Of a symlink as it is written; of a hard link the path of a file before it. */
  target: string;
};

const path_max_bytes = 4095;
const name_max_bytes = 255;

const [setuid, setgid] = [0o4000, 0o2000];

/** Why this must not be in an archive, as the end of a sentence that begins with what it is; null: it may. */
export function refusal_of(entry: Entry): string | null {
  const { path, kind, mode, size, target } = entry;
  const wrong = wrong_path(path);
  if (wrong !== null) return wrong;
  if (path === "" && kind !== "directory") return "is no directory";
  if (kind === "file" && (mode & (setuid | setgid)) !== 0)
    return "is a program that would run as its owner (set-uid)";
  if (!Number.isSafeInteger(size) || size < 0) return "has no proper size";
  if (kind === "hardlink") {
    const elsewhere = wrong_path(target);
    if (elsewhere !== null || target === "") return `is a link to ${quoted(target)}, which is outside`;
  }
  if (kind === "symlink" && leaves(path, target))
    return `is a link that leaves the directory, to ${quoted(target)}`;
  return null;
}

function wrong_path(path: string): string | null {
  if (path === "") return null;
  if (path.startsWith("/")) return "has an absolute path";
  if (path.includes("\0")) return "has a NUL character in its path";
  if (Buffer.byteLength(path) > path_max_bytes) return "has too long a path";
  for (const name of path.split("/")) {
    if (name === "..") return "has .. in its path";
    if (name === "" || name === ".") return "has an empty name in its path";
    if (Buffer.byteLength(name) > name_max_bytes) return "has too long a name";
  }
  return null;
}

/**
 * Whether what a symlink says lies outside. An absolute one always does. .. only at its beginning: after another name it would be
 * the parent of whatever that one leads to.
 */
function leaves(path: string, target: string): boolean {
  if (target === "" || target.startsWith("/") || target.includes("\0")) return true;
  const names = target.split("/").filter((name) => name !== "" && name !== ".");
  const up = names.findIndex((name) => name !== "..");
  const ups = up < 0 ? names.length : up;
  return ups > path.split("/").length - 1 || names.slice(ups).includes("..");
}
