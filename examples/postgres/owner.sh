# PostgreSQL's programs refuse to be root: then they run as whose the data is. Read by dump.sh and wal.sh.
PATH=$PATH:/usr/lib/postgresql/15/bin # where Debian has them

as_owner() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid="$owner" --regid="$(id -g "$owner")" --init-groups "$@"
    else
        "$@"
    fi
}
