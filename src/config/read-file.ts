import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { ConfigError } from "../errors.ts";
import { errno } from "./errno.ts";
import { quoted } from "./quoted.ts";

/** Reads a small text file whole. what: "the configuration file", for the sentence. Never waits for a pipe's writer. */
export function read_file(path: string, what: string, max_bytes: number): string {
  const refuse = (why: string, remedy: string): never => {
    throw new ConfigError(`${what} ${quoted(path)} ${why}`, path, remedy);
  };
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = fstatSync(fd);
    if (stat.isDirectory()) return refuse("is a directory", "name a file");
    if (!stat.isFile()) return refuse("is no regular file", "name a regular file");
    if (stat.size > max_bytes) return refuse(`is larger than ${size(max_bytes)}`, "name the right file");
    const bytes = read_all(fd, max_bytes + 1);
    if (bytes.length > max_bytes) return refuse(`is larger than ${size(max_bytes)}`, "name the right file");
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    if (error instanceof TypeError) return refuse("is not UTF-8", "store it as UTF-8");
    const code = errno(error);
    const [why, remedy] = reasons[code] ?? [`can't be read (${code})`, "see that it can be read"];
    return refuse(why, remedy);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

const reasons: Readonly<Record<string, readonly [why: string, remedy: string]>> = {
  ENOENT: ["doesn't exist", "create it or name another"],
  ENOTDIR: ["doesn't exist: a part of its path is no directory", "name another"],
  EACCES: ["may not be read by this user", "change its owner or mode"],
  ELOOP: ["is a symbolic link to itself", "name a file"],
  ENXIO: ["is no regular file", "name a regular file"],
};

/** The size in stat is no promise: files of /proc and /sys say 0. */
function read_all(fd: number, max_bytes: number): Buffer {
  const buffer = Buffer.alloc(max_bytes);
  let length = 0;
  while (length < max_bytes) {
    const n = readSync(fd, buffer, length, max_bytes - length, null);
    if (n === 0) break;
    length += n;
  }
  return buffer.subarray(0, length);
}

function size(bytes: number): string {
  return bytes >= 1e6 ? `${bytes / 1e6} MB` : `${bytes / 1e3} kB`;
}
