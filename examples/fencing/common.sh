# Read by the others: whom to cut off. Sets $target from the nodes file, or ends.
set -eu

die() { echo "fence: $*" >&2; exit 1; }

holder=${LEASEHOLD_FENCE_HOLDER:?is given by leasehold}
nodes=${LEASEHOLD_FENCE_NODES:-/etc/leasehold/nodes}

if [ "${LEASEHOLD_FENCE_SAME_BOOT:-0}" = 1 ]; then
    [ "${FENCE_SAME_BOOT:-refuse}" = trust ] || die "$holder was on this machine: cutting it off would cut this one off; see README.md"
    echo "fence: $holder was on this machine, and its container is gone"
    exit 0
fi

# entry NODE: what stands beside it in the nodes file; nothing when it isn't there, or twice.
entry() { awk -v node="$1" '$1 == node { n++; found = $2 } END { if (n == 1) print found }' "$nodes"; }

[ -r "$nodes" ] || die "$nodes can't be read"
target=$(entry "$holder")
[ -n "$target" ] || die "$holder does not stand in $nodes, or not once"
