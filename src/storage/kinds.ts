// What is known of each kind of storage. docs/storage.md has the reasons and the measurements.

import type { Mount } from "./mountinfo.ts";

export type StorageKind = {
  /** "nfs", "moosefs", or the file system's own type. */
  name: string;
  /** Other machines may have it, too. */
  network: boolean;
  /** A of the volume lease: the greatest age of any view of it. null: no bound is known. */
  view_age_ms: number | null;
};

const local = new Set(
  "ext2 ext3 ext4 xfs btrfs zfs f2fs jfs reiserfs bcachefs vfat exfat ntfs3 tmpfs ramfs overlay fuseblk".split(
    " ",
  ),
);

/** The bounds of network file systems hold with default options, for who opens anew and lists the directory first; none is below what was measured. */
export function kind_of({ type, source, options, super_options }: Mount): StorageKind {
  const all = [...options, ...super_options];
  const network = (name: string, view_age_ms: number | null): StorageKind => ({
    name,
    network: true,
    view_age_ms,
  });
  if (local.has(type)) return { name: type, network: false, view_age_ms: 0 };
  switch (type) {
    case "nfs":
    case "nfs4":
      // Close-to-open: who opens anew asks the server. nocto gives that up.
      return network("nfs", all.includes("nocto") ? null : 1000);
    case "cifs":
    case "smb3":
      return network("cifs", cifs_view_age(all));
    case "fuse.glusterfs":
      return network("glusterfs", 2000);
    case "fuse.mfs":
    case "fuse.moosefs":
      return network("moosefs", 2000);
    case "fuse":
      return source.startsWith("mfs#") ? network("moosefs", 2000) : network("fuse", null);
    default:
      // ceph, lustre, gfs2, ocfs2 and others: nobody has measured it with us.
      return network(type, null);
  }
}

/** Attributes and directories are believed for actimeo, or acregmax and acdirmax; each is 1 s by default. */
function cifs_view_age(options: readonly string[]): number | null {
  const seconds = options.flatMap((option) => {
    const [, value] = /^(?:actimeo|acregmax|acdirmax)=(\d+)$/.exec(option) ?? [];
    return value === undefined ? [] : [Number(value)];
  });
  return seconds.every((value) => value <= 1) ? 2000 : null;
}

/** Whether a type that the user wrote means this mount: its own, or the kind's name, which has fewer surprises. */
export function is_of_type(mount: Mount, types: readonly string[]): boolean {
  return types.length === 0 || types.includes(mount.type) || types.includes(kind_of(mount).name);
}

/** Whether a pattern that the user wrote means this source; * is any number of any characters. */
export function is_of_source(mount: Mount, pattern: string): boolean {
  const parts = pattern.split("*").map((part) => part.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*?")}$`, "s").test(mount.source);
}
