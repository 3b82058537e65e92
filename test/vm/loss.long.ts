// A volume breaks for real: every kind of storage, every fault. docs/faults.md has what came of it.

import { hangs, is_full, is_hung, type Loss, on_a_network, on_this_machine } from "./losses.ts";

const stale = { exit: 81, says: /is stale, its server has withdrawn it/ };
const read_only = { exit: 81, says: /takes no writes|mounted read-only/ };
const wrong = { exit: 81, says: /has the id 00000000/ };
const undead = { exit: 86, says: /can't be killed/ };
const no_lease = { exit: 80, says: /the lease was lost/ };

const everywhere: readonly Omit<Loss, "kind">[] = [
  { fault: "short", end: null, next: false },
  { fault: "stopped", end: is_hung, next: true },
  { fault: "cut-server", end: is_hung, next: true },
  { fault: "cut-etcd", end: no_lease, next: true },
  { fault: "cut-etcd", lock: "hold", end: null, next: false },
  { fault: "cut-both", end: is_hung, next: true },
  { fault: "cut-server", lock: "file", end: is_hung, next: true },
  { fault: "vanished", lock: "file", end: "vanished", next: true },
];
for (const kind of ["nfs3", "nfs4.2", "cifs"] as const)
  for (const loss of everywhere) on_a_network({ kind, ...loss });

for (const kind of ["nfs3", "nfs4.2"] as const) {
  on_a_network({ kind, fault: "writing", end: undead, next: true });
  on_a_network({ kind, fault: "withdrawn", end: stale, next: true });
  on_a_network({ kind, fault: "read-only", end: read_only, next: true });
}
for (const kind of ["nfs3", "nfs4.2", "cifs"] as const)
  on_a_network({ kind, fault: "replaced", end: wrong, next: false });

on_this_machine({ kind: "ext4", fault: "inodes", ...is_full });
on_this_machine({ kind: "ext4", fault: "remounted", exit: 81, says: /was remounted read-only/ });
on_this_machine({ kind: "ext4", fault: "unmounted", exit: 81, says: /was unmounted/ });
on_this_machine({ kind: "bindfs", fault: "lazily", exit: 81, says: /was unmounted/ });
on_this_machine({
  kind: "glusterfs",
  fault: "lazily",
  exit: 81,
  says: /was unmounted \(fuse.glusterfs from /,
});
on_this_machine({ kind: "moosefs", fault: "stopped", ...hangs });
