// /proc/self/mountinfo: what is mounted where. The one thing about a volume that can be looked at without touching it. Pure.

export type Mount = {
  /** The kernel's number; it may be used again after an unmount. */
  id: number;
  parent: number;
  /** "8:1"; of NFS, FUSE and the like a number made up for this mount. */
  dev: string;
  /** What of the file system is mounted; "/" unless it is a bind mount or a subvolume. */
  root: string;
  point: string;
  options: readonly string[];
  /** "ext4", "nfs4", "fuse.glusterfs". */
  type: string;
  /** "/dev/sda1", "nas1:/export", "mfs#10.0.0.1:9421". */
  source: string;
  /** Of the file system, however it is mounted. */
  super_options: readonly string[];
};

/** In the file's order: what was mounted later stands lower. A line of another form is left out. */
export function parse_mountinfo(text: string): Mount[] {
  return text.split("\n").flatMap((line) => {
    const [before, after] = cut(line, " - ");
    const [id, parent, dev, root, point, options] = before.split(" ");
    const [type, source, super_options] = after?.split(" ") ?? [];
    if (options === undefined || type === undefined || source === undefined || !/^\d+$/.test(id ?? ""))
      return [];
    return [
      {
        id: Number(id),
        parent: Number(parent),
        dev: dev ?? "",
        root: unescape(root ?? ""),
        point: unescape(point ?? ""),
        options: list(options),
        type: unescape(type),
        source: unescape(source),
        super_options: list(super_options ?? ""),
      },
    ];
  });
}

/** Optional fields (shared:1, master:2) come before the " - ", any number of them. No field before it holds a blank. */
function cut(line: string, at: string): [string, string | undefined] {
  const index = line.indexOf(at);
  return index < 0 ? [line, undefined] : [line.slice(0, index), line.slice(index + at.length)];
}

function list(options: string): string[] {
  return options
    .split(",")
    .filter((option) => option !== "")
    .map(unescape);
}

/** The kernel writes blank, tab, newline, \ and # as \040, \011, \012, \134 and \043. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/**
 * The mount that a path without links leads into: down from the root, each time into what is mounted there last. So a mount that
 * another one covers, at its own point or further up, isn't found. undefined: the list doesn't say.
 */
export function mount_of(mounts: readonly Mount[], path: string): Mount | undefined {
  const ids = new Set(mounts.map(({ id }) => id));
  let candidates = mounts.filter(({ id, parent }) => !ids.has(parent) || parent === id);
  let found: Mount | undefined;
  for (;;) {
    const on_the_way = candidates.filter(({ point }) => leads_to(point, path));
    const shortest = Math.min(...on_the_way.map(({ point }) => point.length));
    const next = on_the_way.findLast(({ point }) => point.length === shortest);
    if (next === undefined || next === found) return found;
    found = next;
    candidates = mounts.filter(({ id, parent }) => parent === next.id && id !== next.id);
  }
}

/** Whether path is point, or lies below it. */
function leads_to(point: string, path: string): boolean {
  return point === "/" || path === point || path.startsWith(`${point}/`);
}
