// Real databases as apps: one data directory, what starts the server on it, how a client writes numbers into it, what it has
// stored, and whether its files are sound.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { postgres_protocol, type Protocol, redis_protocol } from "./database-protocols.ts";
import type { Requirement } from "./requires.ts";

export type Database = {
  name: string;
  requirements: readonly Requirement[];
  /** Whom its processes run as; its package has made that user. */
  user: string;
  /** Of leasehold: what makes it stop without waiting for its clients. */
  stop_signal: NodeJS.Signals;
  /** Makes the data directory in the folder. */
  create: (folder: string) => Promise<Store>;
};

/** A data directory, which one server at most may use. */
export type Store = {
  data: string;
  /** The server in the foreground, to be run as its user. */
  command: readonly string[];
  protocol: Protocol;
  /** The options by which its own client programs find it. */
  client: readonly string[];
  /** Answers. */
  ready: () => boolean;
  /** All numbers that are stored, by its own command-line client. The server runs. */
  stored: () => number[];
  /** Throws when its own tools find its files damaged. The server has been stopped. */
  check: () => void;
};

/** The words that run a command as that user, in the way that images' entry points do. */
export const as_user = (user: string): string[] => [
  "setpriv",
  `--reuid=${user}`,
  `--regid=${user}`,
  "--init-groups",
];

/** As that user or as root; its output. Throws when it fails. */
export function run(user: string, command: readonly string[], input = ""): string {
  const [program = "", ...args] = user === "root" ? command : [...as_user(user), ...command];
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", input, cwd: "/" });
  assert.equal(status, 0, `${command.join(" ")}: ${stderr}${stdout}`);
  return stdout;
}

const succeeds = ([program = "", ...args]: readonly string[]): boolean =>
  spawnSync(program, args).status === 0;

export const directory = (path: string, user: string): string =>
  run("root", ["install", "-d", "-m", "700", "-o", user, "-g", user, path]);

export const numbers = (text: string): number[] => text.split("\n").filter(Boolean).map(Number);

export const postgres_bin = "/usr/lib/postgresql/15/bin";

export const postgres: Database = {
  name: "PostgreSQL",
  requirements: ["postgres", "setpriv", "root"],
  user: "postgres",
  stop_signal: "SIGINT",
  async create(folder) {
    const { user } = postgres;
    const [data, sockets] = [join(folder, "data"), join(folder, "sockets")];
    directory(data, user);
    directory(sockets, user);
    const own = ["--auth=trust", "--locale=C", "--encoding=UTF8", "--data-checksums", "--no-sync"];
    run(user, [`${postgres_bin}/initdb`, ...own, data]);
    run(
      user,
      [`${postgres_bin}/postgres`, "--single", "-D", data, "postgres"],
      "create table written (number bigint primary key)\ncreate extension amcheck\n",
    );
    const settings = [
      "listen_addresses=",
      `unix_socket_directories=${sockets}`,
      "shared_buffers=32MB",
      // A small log of a busy server: kills meet checkpoints, too.
      "checkpoint_timeout=30s",
      "max_wal_size=32MB",
    ];
    const client = ["-h", sockets, "-U", user];
    const psql = (sql: string): string =>
      run("root", [`${postgres_bin}/psql`, ...client, "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql]);
    return {
      data,
      command: [`${postgres_bin}/postgres`, "-D", data, ...settings.flatMap((one) => ["-c", one])],
      protocol: postgres_protocol({ path: join(sockets, ".s.PGSQL.5432") }),
      client,
      ready: () => succeeds([`${postgres_bin}/pg_isready`, "-q", ...client]),
      stored() {
        psql("select bt_index_check('written_pkey', true)");
        return numbers(psql("select number from written"));
      },
      check: () => void run(user, [`${postgres_bin}/pg_checksums`, "--check", "-D", data]),
    };
  },
};

export const redis: Database = {
  name: "Redis",
  requirements: ["redis-server", "redis-cli", "setpriv", "root"],
  user: "redis",
  stop_signal: "SIGTERM",
  async create(folder) {
    const { user } = redis;
    const data = join(folder, "data");
    directory(data, user);
    const port = await quiet_port();
    const client = ["-p", `${port}`];
    const settings = {
      bind: "127.0.0.1",
      port: `${port}`,
      dir: data,
      save: "",
      appendonly: "yes",
      appendfsync: "always",
      // Soon and often: kills meet the child that rewrites the log, too.
      "auto-aof-rewrite-min-size": "16kb",
      "auto-aof-rewrite-percentage": "50",
    };
    const words = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
    return {
      data,
      command: ["redis-server", ...words],
      protocol: redis_protocol({ host: "127.0.0.1", port }),
      client,
      // Its exit code says nothing.
      ready: () => run("root", ["sh", "-c", 'redis-cli "$@" ping 2>&1 || :', "sh", ...client]) === "PONG\n",
      stored: () => numbers(run("root", ["redis-cli", ...client, "lrange", "written", "0", "-1"])),
      check: () => void run(user, ["redis-check-aof", join(data, "appendonlydir/appendonly.aof.manifest")]),
    };
  },
};

/**
 * MariaDB's data directory, for the user daemon: made from its tables' definitions, because its own script wants programs of other
 * packages. Returns the command of the server on it.
 */
export function mariadb(data: string, port: number): string[] {
  const server = ["mariadbd", "--no-defaults", "--user=daemon", `--datadir=${data}`];
  const small = ["--innodb-buffer-pool-size=16M", "--innodb-log-file-size=8M"];
  directory(data, "daemon");
  directory(join(data, "mysql"), "daemon");
  const tables = ["system_tables", "performance_tables", "system_tables_data"];
  const read = ["mysql"].concat(tables.map((name) => `/usr/share/mysql/mysql_${name}.sql`));
  const script = `{ echo 'use '$0';'; cat "$@"; }`;
  const definitions = run("root", ["sh", "-c", script, ...read]);
  run("root", [...server, ...small, "--bootstrap"], definitions);
  const address = [`--port=${port}`, "--bind-address=127.0.0.1", `--socket=${join(data, "sock")}`];
  return [...server, ...small, ...address];
}

/** Outside the range from which the kernel gives ports to clients: who dials it while nobody listens can't meet himself. */
export async function quiet_port(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = randomInt(20_000, 30_000);
    const server = createServer().listen(port, "127.0.0.1");
    const free = await once(server, "listening").then(
      () => true,
      () => false,
    );
    if (!free) continue;
    await once(server.close(), "close");
    return port;
  }
  throw new Error("no port from 20000 to 30000 is free");
}
