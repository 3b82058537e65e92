#!/bin/sh
# --backup-with "restic.sh backup", --restore-with "restic.sh restore". /etc/leasehold/restic.env says where the repository is:
#   RESTIC_REPOSITORY=s3:https://s3.example.com/backups
#   RESTIC_PASSWORD_FILE=/etc/leasehold/restic.password
#   REDIS_PORT=6379
set -eu
set -a
. "$(dirname "$0")/restic.env"
set +a
export RESTIC_CACHE_DIR="${RESTIC_CACHE_DIR:-/var/cache/restic}"
tag=${TAG:-shop-cache}

case ${1:-} in
backup)
    # One place, so that a backup that was killed at its time leaves no more than one copy. Not below restic's cache, which it leaves out.
    own=${RESTIC_CACHE_DIR%/*}/leasehold-restic
    rm -rf "$own"
    mkdir -m 700 "$own"
    trap 'rm -rf "$own"' EXIT
    redis-cli -p "$REDIS_PORT" --rdb "$own/dump.rdb" >/dev/null
    test -s "$own/dump.rdb" # its exit code says little
    chown --reference="$LEASEHOLD_BACKUP_SOURCE" "$own/dump.rdb"
    cd "$own"
    restic backup --quiet --host "$LEASEHOLD_NODE" --tag "$tag,token=$LEASEHOLD_TOKEN" dump.rdb
    restic forget --quiet --tag "$tag" --group-by '' --keep-last 100 --keep-daily 14
    ;;
restore)
    # Not "latest", which is by the nodes' clocks: first by the fencing token, which only grows, then by one node's clock.
    # In two steps: where restic can't say what there is, it ends here.
    all=$(restic snapshots --json --tag "$tag")
    newest=$(printf '%s\n' "$all" | tr '{' '\n' |
        sed -n 's/.*"time":"\([^"]*\)".*"token=\([0-9]*\)".*"id":"\([0-9a-f]*\)".*/\2 \1 \3/p' |
        sort -k1,1n -k2,2 | tail -n 1 | cut -d' ' -f3)
    if [ -z "$newest" ]; then
        echo "there is no backup tagged $tag in $RESTIC_REPOSITORY; for the first start give --restore never once" >&2
        exit 1
    fi
    restic restore --quiet "$newest" --target "$LEASEHOLD_RESTORE_TARGET"
    chown --reference="$LEASEHOLD_RESTORE_TARGET/dump.rdb" "$LEASEHOLD_RESTORE_TARGET"
    ;;
*)
    echo "restic.sh: '${1:-}' is neither backup nor restore" >&2
    exit 64
    ;;
esac
