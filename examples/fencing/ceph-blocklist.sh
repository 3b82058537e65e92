#!/bin/sh
# Has Ceph refuse every client of the last holder's address (in the nodes file), kernel and FUSE mounts and RBD alike.
. "$(dirname "$0")/common.sh"

# Long enough for somebody to look at it. A client that was on the list stays broken until it is mounted anew.
ceph osd blocklist add "$target:0/0" "${FENCE_SECONDS:-86400}"
ceph osd blocklist ls 2>/dev/null | awk -v entry="$target:0/0" '$1 == entry { yes = 1 } END { exit !yes }' ||
    die "$target is not on the blocklist"
