#!/bin/sh
# nbd.sh attach|detach HOST EXPORT DEVICE: connects a network block device, or disconnects it. Either may be called again.
set -eu
what=${1:?attach or detach} host=${2:?the server} export=${3:?the name of the export} device=${4:?e.g. /dev/nbd0}

connected() { nbd-client -c "$device" >/dev/null; }

case $what in
attach)
    # Of an earlier run on this machine: its app is dead, for the lock is ours.
    if connected; then nbd-client -d "$device"; fi
    # Without -persist: a connection that came back by itself could write after the lock has gone to somebody else.
    nbd-client "$host" -N "$export" "$device" -timeout 30
    ;;
detach)
    if connected; then nbd-client -d "$device"; fi
    ;;
*)
    echo "nbd.sh: '$what' is neither attach nor detach" >&2
    exit 64
    ;;
esac
