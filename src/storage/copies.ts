// A snapshot or copy of the volume that is mounted beside it has its id, too: whoever requires that id could get either.

import { ms_to_ns, type Time } from "../core/time.ts";
import { run_probe } from "../guard/probe.ts";
import { decode_identity, identity_file, identity_max_bytes } from "./identity.ts";
import type { Mount } from "./mountinfo.ts";
import type { JobKind } from "./probing.ts";

/** Each in a job of its own: another mount may hang, and is left out then. */
const limit_ms = 1000;
const mounts_max = 24;

const pseudo = new Set(
  "autofs binfmt_misc bpf cgroup cgroup2 configfs debugfs devpts devtmpfs efivarfs fusectl hugetlbfs mqueue nsfs proc pstore rpc_pipefs securityfs selinuxfs sysfs tracefs".split(
    " ",
  ),
);

/** Another mount here that has the same identity and is no second mount of the same place; null: none was found. */
export async function copy_of(
  path: string,
  { mount, id }: { mount: Mount | null; id: string | null },
  mounts: readonly Mount[],
  { time, job }: { time: Time; job?: JobKind | undefined },
): Promise<Mount | null> {
  if (mount === null || id === null) return null;
  const others = mounts.filter((other) => !pseudo.has(other.type) && !is_same(mount, other));
  const below = path.startsWith(mount.point) && mount.point !== "/" ? path.slice(mount.point.length) : "";
  const found = await Promise.all(
    others.slice(0, mounts_max).map(async (other) => {
      const file = `${other.point === "/" ? "" : other.point}${below}/${identity_file}`;
      const { results } = await run_probe([{ do: "read", path: file, max: identity_max_bytes + 1 }], {
        deadline_ns: time.now_ns() + ms_to_ns(limit_ms),
        now_ns: () => time.now_ns(),
        ...job,
      });
      const [read] = results;
      const identity = read && read.error === undefined ? decode_identity(read.content) : null;
      return typeof identity === "object" && identity?.id === id ? other : null;
    }),
  );
  return found.find((other) => other !== null) ?? null;
}

function is_same(one: Mount, other: Mount): boolean {
  return (
    one.root === other.root &&
    (one.dev === other.dev || (one.type === other.type && one.source === other.source))
  );
}
