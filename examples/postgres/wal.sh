#!/bin/sh
# --backup-with "wal.sh backup", --restore-with "wal.sh restore", and of PostgreSQL: archive_command = 'wal.sh archive %p %f'. The
# server is found as its clients find it, by PGHOST, PGPORT and PGUSER.
set -eu
wal=/backups/wal # the app's user writes there

. "$(dirname "$0")/owner.sh"

case ${1:-} in
backup)
    # leasehold flushes what becomes of it.
    pg_basebackup -U "${PGUSER:-postgres}" -c fast -X stream --no-sync -D "$LEASEHOLD_BACKUP_TARGET"
    chown -R --reference="$LEASEHOLD_BACKUP_SOURCE" "$LEASEHOLD_BACKUP_TARGET"
    ;;
archive)
    path=$2 name=$3
    # Once more after a crash; another one's of the same name is never written over.
    if [ -e "$wal/$name" ]; then exec cmp "$path" "$wal/$name"; fi
    cp "$path" "$wal/.$name.new"
    sync "$wal/.$name.new"
    mv "$wal/.$name.new" "$wal/$name"
    sync "$wal"
    ;;
fetch)
    name=$2 path=$3
    # 1 is "there is none". Anything above 125 stops PostgreSQL: an archive that isn't there is not one that has come to its end.
    ls "$wal" >/dev/null || exit 200
    [ -e "$wal/$name" ] || exit 1
    exec cp "$wal/$name" "$path"
    ;;
restore)
    data=$LEASEHOLD_RESTORE_TARGET from=$LEASEHOLD_RESTORE_SOURCE
    owner=$(stat -c %U "$from/PG_VERSION")
    # Both lie on one file system, so nothing is copied.
    find "$from" -mindepth 1 -maxdepth 1 -exec mv -t "$data" {} +
    chown --reference="$data/PG_VERSION" "$data"
    chmod 0700 "$data"
    # Those of the restore before it were backed up, too.
    sed -i '/^\(restore_command\|recovery_target\|hot_standby\)/d' "$data/postgresql.auto.conf"
    # Until it has replayed all, nobody gets in: else clients, and the readiness check, would take a server that only reads for ready.
    printf "restore_command = '%s fetch %%f %%p'\nhot_standby = off\n" "$(realpath "$0")" >>"$data/postgresql.auto.conf"
    as_owner touch "$data/recovery.signal"
    if [ -n "$LEASEHOLD_TARGET_TIME" ]; then
        printf "recovery_target_time = '%s'\nrecovery_target_action = promote\n" "$LEASEHOLD_TARGET_TIME" >>"$data/postgresql.auto.conf"
        # Up to there and no further, while the data from before is still in its place: a time that can't be reached is a restore
        # that fails. The app's own start then begins the new timeline, and archives it.
        own=$(mktemp -d) # 0700
        trap 'rm -rf "$own"' EXIT
        chown --reference="$data" "$own"
        as_owner postgres -D "$data" -c listen_addresses= -c unix_socket_directories="$own" -c archive_mode=off \
            -c logging_collector=off -c log_destination=stderr -c recovery_target_action=shutdown >"$own/log" 2>&1 || :
        if ! grep -q 'recovery stopping before' "$own/log"; then
            grep FATAL "$own/log" >&2 || tail -n 5 "$own/log" >&2
            exit 1
        fi
    fi
    ;;
*)
    echo "wal.sh: '${1:-}' is none of backup, archive, fetch and restore" >&2
    exit 64
    ;;
esac
