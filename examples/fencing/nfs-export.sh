#!/bin/sh
# Withdraws the export from the last holder on a Linux NFS server: its next request is refused, with ESTALE or EACCES. The server has
# to export to each client by its own name (the nodes file has them), not to a network.
#
#   FENCE_SERVER=nas1  FENCE_EXPORT=/srv/shop
. "$(dirname "$0")/common.sh"

server=${FENCE_SERVER:?the NFS server} export=${FENCE_EXPORT:?the path that it exports}

on_server() { ssh -o BatchMode=yes -o ConnectTimeout=10 "$server" "$@"; }
# clients: whom the table on standard input (exportfs -s, /etc/exports) has for this path, one a line.
clients() { awk -v path="$export" '$1 == path { for (i = 2; i <= NF; i++) { sub(/\(.*/, "", $i); print $i } }'; }
current() {
    table=$(on_server exportfs -s) || die "$server does not answer" # which is no "not exported"
    echo "$table" | clients
}

# The remote shell reads the words again: nothing but names and paths may get there.
case "$target$export" in *[!A-Za-z0-9./:_-]*) die "'$target' or '$export' is no name or path" ;; esac
table=$(on_server cat /etc/exports) || die "$server does not answer"
echo "$table" | clients | grep -qxF "$target" || die "/etc/exports of $server doesn't name $target for $export: is it exported to it by another name?"
now=$(current) || exit 1
if echo "$now" | grep -q '[*?@/]'; then die "$export is exported to a network or pattern, which can't be withdrawn from one client"; fi
if echo "$now" | grep -qxF "$target"; then on_server exportfs -u "$target:$export"; fi
on_server exportfs -f
now=$(current) || exit 1
if echo "$now" | grep -qxF "$target"; then die "$server still exports $export to $target"; fi
