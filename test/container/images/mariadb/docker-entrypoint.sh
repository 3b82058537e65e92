#!/bin/bash
set -eo pipefail

if [ "${1:0:1}" = '-' ]; then
	set -- mariadbd "$@"
fi

if [ "$1" = 'mariadbd' ]; then
	# Where the data is, as the server itself understands its arguments.
	DATADIR="$("$@" --verbose --help --log-bin-index="$(mktemp -u)" 2>/dev/null | awk '$1 == "datadir" { print $2; exit }')"
	mkdir -p "$DATADIR"
	if [ "$(id -u)" = '0' ]; then
		find "$DATADIR" \! -user mysql -exec chown mysql: '{}' +
		exec gosu mysql "${BASH_SOURCE[0]}" "$@"
	fi
	if [ ! -d "$DATADIR/mysql" ]; then
		mariadb-install-db --datadir="$DATADIR" --auth-root-authentication-method=normal --skip-test-db >/dev/null
		# A server for the image's initialisation only: on a Unix socket.
		"$@" --skip-networking --socket=/run/mysqld/init.sock &
		server=$!
		for i in {120..0}; do
			if mariadb --protocol=socket -uroot -S /run/mysqld/init.sock -e 'select 1' &>/dev/null; then break; fi
			sleep 0.5
		done
		for f in /docker-entrypoint-initdb.d/*.sql; do
			mariadb --protocol=socket -uroot -S /run/mysqld/init.sock <"$f"
		done
		kill "$server"
		wait "$server"
	fi
fi

exec "$@"
