// Where a restore works: beside the data directory, on the same file system, so that the exchange is by renames.

import { accessSync, constants, existsSync, lstatSync, readdirSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { quoted } from "../config/quoted.ts";
import { not_data } from "../backup/tree.ts";
import { read_mounts } from "../storage/probing.ts";
import { read_journal } from "./journal.ts";

/**
 * rename: the directory as a whole is exchanged. move: it can't be renamed (a mount point, another file system than what is around
 * it, or its parent can't be written to), so what is in it is moved, entry by entry.
 */
export type Place = {
  data: string;
  how: "rename" | "move";
  /** leasehold's folder: journal, marker, staging/, previous/. */
  work: string;
};

/** As a journal that was begun says, else as the file systems allow. */
export function place_of(data: string): Place {
  const both: Place[] = [
    { data, how: "rename", work: join(dirname(data), `.${basename(data)}.leasehold`) },
    { data, how: "move", work: join(data, ".leasehold-restore") },
  ];
  const begun = both.find(({ work }) => read_journal(work) !== null);
  const [whole, parts] = both;
  if (whole === undefined || parts === undefined) throw new Error("there are two places");
  return begun ?? (can_be_renamed(data) ? whole : parts);
}

function can_be_renamed(data: string): boolean {
  const parent = dirname(data);
  try {
    accessSync(parent, constants.W_OK | constants.X_OK);
  } catch {
    return false;
  }
  const here = lstatSync(data, { throwIfNoEntry: false });
  if (here === undefined) return true;
  if (here.isSymbolicLink() || here.dev !== statSync(parent).dev) return false;
  return !read_mounts().some(({ point }) => point === data);
}

/** What would stop an exchange in the middle, as a sentence that ends with the remedy: half of it would be done by then. */
export function hindrance_of({ data }: Place): string | null {
  if (!existsSync(data)) return null;
  const real = realpathSync(data);
  const mount = read_mounts().find(({ point }) => point.startsWith(`${real}/`));
  if (mount !== undefined)
    return `something is mounted in ${quoted(data)}, at ${quoted(mount.point)}, which a restore can't put aside; unmount it, or keep it elsewhere`;
  try {
    accessSync(data, constants.W_OK | constants.X_OK);
    return null;
  } catch {
    return `${quoted(data)} is another user's, or can't be written to; give it to user ${process.geteuid?.()}, as whom leasehold runs`;
  }
}

export function state_of(data: string): "absent" | "empty" | "full" | "foreign" {
  const stat = statSync(data, { throwIfNoEntry: false });
  if (stat === undefined) return lstatSync(data, { throwIfNoEntry: false }) ? "foreign" : "absent";
  if (!stat.isDirectory()) return "foreign";
  return entries_of(data).length === 0 ? "empty" : "full";
}

/** What is the app's in it. */
export function entries_of(data: string): string[] {
  return readdirSync(data).filter((name) => !not_data.has(name));
}
