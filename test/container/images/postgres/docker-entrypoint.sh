#!/usr/bin/env bash
set -Eeo pipefail

if [ "${1:0:1}" = '-' ]; then
	set -- postgres "$@"
fi

if [ "$1" = 'postgres' ]; then
	mkdir -p "$PGDATA"
	if [ "$(id -u)" = '0' ]; then
		find "$PGDATA" \! -user postgres -exec chown postgres '{}' +
		find /var/run/postgresql \! -user postgres -exec chown postgres '{}' +
		exec gosu postgres "$BASH_SOURCE" "$@"
	fi
	chmod 00700 "$PGDATA"
	if [ ! -s "$PGDATA/PG_VERSION" ]; then
		initdb --username=postgres --auth=trust --data-checksums -D "$PGDATA"
		echo 'host all all all trust' >>"$PGDATA/pg_hba.conf"
		# A server for the image's initialisation only: on a Unix socket.
		PGUSER=postgres pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start
		for f in /docker-entrypoint-initdb.d/*.sql; do
			psql -v ON_ERROR_STOP=1 --username postgres --no-password --no-psqlrc -f "$f"
		done
		PGUSER=postgres pg_ctl -D "$PGDATA" -m fast -w stop
	fi
fi

exec "$@"
