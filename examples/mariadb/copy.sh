#!/bin/sh
# --backup-with: copies the running server's files, and makes one moment of them. The server is found as its clients find it, by
# my.cnf (MYSQL_HOME says where that is); root@localhost or the user in my.cnf needs RELOAD, PROCESS, LOCK TABLES and BINLOG MONITOR.
set -eu

# It says a line for each file. Only the last ones matter, and only when it fails.
quietly() {
    said=$("$@" 2>&1) || { printf '%s\n' "$said" | tail -n 5 >&2; exit 1; }
}

quietly mariadb-backup --backup --datadir="$LEASEHOLD_BACKUP_SOURCE" --target-dir="$LEASEHOLD_BACKUP_TARGET"
# Now, not while a restore is waited for: a copy that can't be made consistent is no backup.
quietly mariadb-backup --prepare --target-dir="$LEASEHOLD_BACKUP_TARGET"
# Whose the data is, when this runs as root.
chown -R --reference="$LEASEHOLD_BACKUP_SOURCE" "$LEASEHOLD_BACKUP_TARGET"
