#!/bin/sh
# --backup-with "dump.sh backup", --restore-with "dump.sh restore". The server is found as its clients find it, by PGHOST, PGPORT
# and PGUSER. A dump needs a server to be loaded by: one that nobody else can reach, on the directory that is being filled,
# ended before leasehold puts that in its place.
set -eu
settings="postgresql.conf postgresql.auto.conf pg_hba.conf pg_ident.conf"

. "$(dirname "$0")/owner.sh"

case ${1:-} in
backup)
    owner=$(stat -c %U "$LEASEHOLD_BACKUP_SOURCE")
    as_owner pg_dumpall --globals-only >"$LEASEHOLD_BACKUP_TARGET/globals.sql"
    # As many moments as databases: a dump is of one moment within one database.
    for name in $(as_owner psql -XAtc "select datname from pg_database where datallowconn and datname <> 'template0'" postgres); do
        as_owner pg_dump --format=custom --compress=0 "$name" >"$LEASEHOLD_BACKUP_TARGET/$name.dump"
    done
    # What the image or an administrator has set isn't in a dump.
    for file in $settings; do
        if [ -e "$LEASEHOLD_BACKUP_SOURCE/$file" ]; then cp -p "$LEASEHOLD_BACKUP_SOURCE/$file" "$LEASEHOLD_BACKUP_TARGET/"; fi
    done
    chown -R --reference="$LEASEHOLD_BACKUP_SOURCE" "$LEASEHOLD_BACKUP_TARGET"
    ;;
restore)
    data=$LEASEHOLD_RESTORE_TARGET from=$LEASEHOLD_RESTORE_SOURCE
    owner=$(stat -c %U "$from/globals.sql")
    chown --reference="$from/globals.sql" "$data"
    own=$(mktemp -d) # 0700
    chown --reference="$data" "$own"
    cd "$own"
    as_owner initdb --pgdata="$data" --auth=trust --no-sync --encoding=UTF8 --username=postgres >/dev/null
    stop() { as_owner pg_ctl stop --pgdata="$data" --mode="$1" >/dev/null; }
    trap 'stop immediate 2>/dev/null || :; cd /; rm -rf "$own"' EXIT
    # leasehold flushes the files when they are complete.
    as_owner pg_ctl start --pgdata="$data" --wait --timeout=600 --log="$own/log" \
        --options="-c listen_addresses= -c unix_socket_directories=$own -c fsync=off" >/dev/null || { tail -n 5 "$own/log" >&2; exit 1; }
    # The role postgres is there already, which is no failure.
    as_owner psql -Xq -h "$own" -U postgres postgres <"$from/globals.sql" >/dev/null 2>&1
    for dump in "$from"/*.dump; do
        case $(basename "$dump" .dump) in
        postgres | template1) create='--clean --if-exists' name=$(basename "$dump" .dump) ;;
        *) create=--create name=postgres ;;
        esac
        as_owner pg_restore -h "$own" -U postgres --exit-on-error $create --dbname="$name" <"$dump"
    done
    stop fast # its files are complete only when it has ended well
    for file in $settings; do
        if [ -e "$from/$file" ]; then cp -p "$from/$file" "$data/"; fi
    done
    trap 'cd /; rm -rf "$own"' EXIT
    ;;
*)
    echo "dump.sh: '${1:-}' is neither backup nor restore" >&2
    exit 64
    ;;
esac
