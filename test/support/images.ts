// The images of test/container/images: how each is run as a singleton, what clients say to it, and what its own tools say of its data.

import { mariadb_protocol, postgres_protocol, type Protocol, redis_protocol } from "./database-protocols.ts";

export type Image = {
  name: "redis" | "postgres" | "mariadb";
  /** Of Debian. */
  packages: readonly string[];
  /** The server's name, as /proc has it. */
  program: string;
  port: number;
  /** Where the volume is in the container. */
  volume: string;
  cmd: readonly string[];
  protocol: (address: Protocol["address"]) => Protocol;
  /** In the container that serves: all numbers, one a line. */
  stored: readonly string[];
  /** In a container of the image without its entry point, after the last one has been stopped: ends with 0 when the files are sound. */
  check: readonly string[];
  /** The server locks its files, also while it is frozen: on one machine the other one's ends with 1 until it is thawed. */
  locks_files?: boolean;
  /** In the container that serves: makes the server itself take more memory than the 900 MB that it may. */
  eat?: readonly string[];
};

export const redis_image: Image = {
  name: "redis",
  packages: ["redis-server", "gosu"],
  program: "redis-server",
  port: 6379,
  volume: "/data",
  cmd: ["redis-server", "--appendonly", "yes", "--appendfsync", "always", "--protected-mode", "no"],
  protocol: redis_protocol,
  stored: ["redis-cli", "lrange", "written", "0", "-1"],
  check: ["redis-check-aof", "/data/appendonlydir/appendonly.aof.manifest"],
  eat: ["redis-cli", "eval", "for n = 1, 5 do redis.call('setrange', 'big' .. n, 400000000, 'x') end", "0"],
};

export const postgres_image: Image = {
  name: "postgres",
  packages: ["postgresql-15", "gosu"],
  program: "postgres",
  port: 5432,
  volume: "/var/lib/postgresql",
  cmd: ["postgres", "-c", "listen_addresses=*", "-c", "shared_buffers=32MB"],
  protocol: postgres_protocol,
  stored: [
    ...["psql", "-U", "postgres", "-XAtq", "-v", "ON_ERROR_STOP=1"],
    ...["-c", "select bt_index_check('written_pkey', true)", "-c", "select number from written"],
  ],
  check: ["gosu", "postgres", "pg_checksums", "--check"],
};

export const mariadb_image: Image = {
  name: "mariadb",
  packages: ["mariadb-server-core", "mariadb-client-core", "gosu"],
  program: "mariadbd",
  port: 3306,
  volume: "/var/lib/mysql",
  cmd: ["mariadbd", "--bind-address=0.0.0.0", "--innodb-buffer-pool-size=32M"],
  protocol: mariadb_protocol,
  locks_files: true,
  stored: ["mariadb", "-N", "-e", "check table app.written extended; select number from app.written"],
  check: ["sh", "-c", "find /var/lib/mysql/app -name '*.ibd' -exec innochecksum '{}' +"],
};
