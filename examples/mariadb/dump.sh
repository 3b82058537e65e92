#!/bin/sh
# --backup-with "dump.sh backup", --restore-with "dump.sh restore". A dump needs a server to be loaded by: one that nobody else can
# reach, on the directory that is being filled, ended before leasehold puts that in its place.
set -eu

case ${1:-} in
backup)
    mariadb-dump --all-databases --single-transaction --routines --events --triggers --flush-privileges \
        >"$LEASEHOLD_BACKUP_TARGET/dump.sql"
    # Whose the data is, for the restore.
    chown -R --reference="$LEASEHOLD_BACKUP_SOURCE" "$LEASEHOLD_BACKUP_TARGET"
    ;;
restore)
    data=$LEASEHOLD_RESTORE_TARGET
    user=$(stat -c %U "$LEASEHOLD_RESTORE_SOURCE/dump.sql")
    chown --reference="$LEASEHOLD_RESTORE_SOURCE/dump.sql" "$data"
    own=$(mktemp -d) # 0700
    chown --reference="$data" "$own"
    server=
    trap 'test -z "$server" || kill -9 "$server" 2>/dev/null || :; rm -rf "$own"' EXIT
    mariadb-install-db --no-defaults --user="$user" --datadir="$data" --skip-test-db >/dev/null
    # With grants it would ask for the password that the dump brings. leasehold flushes the files when they are complete.
    mariadbd --no-defaults --user="$user" --datadir="$data" --skip-networking --skip-grant-tables --event-scheduler=OFF \
        --socket="$own/socket" --pid-file="$own/pid" --innodb-flush-log-at-trx-commit=0 >"$own/log" 2>&1 &
    server=$!
    until mariadb --no-defaults --socket="$own/socket" -e 'select 1' >/dev/null 2>&1; do
        kill -0 "$server" 2>/dev/null || { tail -n 5 "$own/log" >&2; exit 1; }
        sleep 0.1
    done
    mariadb --no-defaults --socket="$own/socket" <"$LEASEHOLD_RESTORE_SOURCE/dump.sql"
    kill -TERM "$server"
    wait "$server" # its files are complete only when it has ended well
    server=
    ;;
*)
    echo "dump.sh: '${1:-}' is neither backup nor restore" >&2
    exit 64
    ;;
esac
