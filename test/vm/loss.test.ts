// A volume breaks for real. What takes minutes is in the long suite of this name.

import { hangs, is_full, is_hung, on_a_network, on_this_machine } from "./losses.ts";

on_a_network({ kind: "nfs3", fault: "stopped", end: is_hung, next: true });

on_this_machine({ kind: "bindfs", fault: "stopped", ...hangs });
on_this_machine({ kind: "glusterfs", fault: "stopped", ...hangs });
on_this_machine({ kind: "moosefs", fault: "chunks-stopped", ...hangs });
on_this_machine({ kind: "moosefs", fault: "lazily", exit: 81, says: /was unmounted \(fuse from "mfs#/ });
on_this_machine({ kind: "ext4", fault: "lazily", exit: 81, says: /was unmounted \(ext4 from / });
on_this_machine({ kind: "ext4", fault: "full", ...is_full });
on_this_machine({ kind: "ext4", fault: "ext4-error", exit: 81, says: /takes no writes \(open: EROFS\)/ });
