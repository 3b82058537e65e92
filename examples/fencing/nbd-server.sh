#!/bin/sh
# Ends the last holder's connections to an nbd-server, which has a process for each: its device fails from then on. It can connect anew,
# but nothing does so by itself: attach-nbd/nbd.sh asks for no -persist.
#
#   FENCE_SERVER=storage1  [FENCE_PORT=10809]
. "$(dirname "$0")/common.sh"

server=${FENCE_SERVER:?the NBD server} port=${FENCE_PORT:-10809} turns=${FENCE_TURNS:-60}

on_server() { ssh -o BatchMode=yes -o ConnectTimeout=10 "$server" "$@"; }
# serving: the processes there that a connection of the target has, one a line.
serving() {
    table=$(on_server "ss -Htnp state connected '( sport = :$port and dst $target )'") || die "$server does not answer"
    echo "$table" | grep -o 'pid=[0-9]*' | cut -d = -f 2
}

# The remote shell reads the words again: nothing but an address and a port may get there.
case "$target$port" in *[!A-Za-z0-9.:_-]*) die "'$target' or '$port' is no address or port" ;; esac
user=$(on_server id -u) || die "$server does not answer"
[ "$user" = 0 ] || die "on $server only root sees whose the connections are"
now=$(serving) || exit 1
while [ -n "$now" ]; do
    [ "$turns" -gt 0 ] || die "$server still serves $target"
    turns=$((turns - 1))
    for process in $now; do on_server "kill -9 $process" || :; done # it may have ended meanwhile
    sleep 0.5
    now=$(serving) || exit 1
done
