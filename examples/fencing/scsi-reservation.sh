#!/bin/sh
# SCSI-3 persistent reservation, "write exclusive, registrants only" (type 5). As --fence it takes the last holder's
# registration away, and with it what it still has under way; as --pre-start, with the argument "register", it registers this node, so
# that it can write at all. Keys are in the nodes file, hexadecimal: one for each node.
#
#   FENCE_DEVICE=/dev/sdb  FENCE_NODE=this node's name
if [ "${1:-}" = register ]; then LEASEHOLD_FENCE_HOLDER=${FENCE_NODE:?} LEASEHOLD_FENCE_SAME_BOOT=0; fi
. "$(dirname "$0")/common.sh"

device=${FENCE_DEVICE:?e.g. /dev/sdb}
own=$(entry "${FENCE_NODE:?this node, as in the nodes file}")
[ -n "$own" ] || die "$FENCE_NODE does not stand in $nodes, or not once"

registered() {
    keys=$(sg_persist --in --read-keys "$device") || die "the keys of $device can't be read" # which is no "not registered"
    echo "$keys" | grep -qiw "$1"
}
reserved() { sg_persist --in --read-reservation "$device" | grep -qi "type: write exclusive, registrants only"; }

sg_persist --out --register-ignore --param-sark="$own" "$device"
if [ "${1:-}" != register ] && registered "$target"; then
    sg_persist --out --preempt-abort --param-rk="$own" --param-sark="$target" --prout-type=5 "$device"
fi
reserved || sg_persist --out --reserve --param-rk="$own" --prout-type=5 "$device"
reserved || die "$device has no reservation of type 5"
registered "$own" || die "$device doesn't list this node's key"
if [ "${1:-}" != register ] && registered "$target"; then die "$device still lists the key of $holder"; fi
