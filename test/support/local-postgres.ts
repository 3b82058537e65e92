// PostgreSQL as the example has it: on a node's own disk, its log archived beside the backups.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { as_user, directory, numbers, postgres_bin, quiet_port, run } from "./databases.ts";
import type { LocalDisks, Server } from "./local-disks.ts";

export type Postgres = Server & { sql: (text: string) => string };

export async function local_postgres({ root, etc, store }: LocalDisks): Promise<Postgres> {
  const port = await quiet_port();
  const as = as_user("postgres");
  const client = [...as, `${postgres_bin}/psql`, "-h", root, "-p", `${port}`, "-XAtq"];
  const sql = (text: string): string => run("root", [...client, "-c", text, "postgres"]);
  directory(join(store, "wal"), "postgres");
  const settings = [
    ...["listen_addresses=127.0.0.1", `port=${port}`, `unix_socket_directories=${root}`],
    ...(existsSync(join(etc, "wal.sh"))
      ? ["archive_mode=on", `archive_command=${etc}/wal.sh archive %p %f`]
      : []),
  ];
  const server = `
    if ! [ -s "$0/PG_VERSION" ]; then
      install -d -m 700 -o postgres "$0" && ${as.join(" ")} ${postgres_bin}/initdb --no-sync --auth=trust -D "$0" >/dev/null
    fi && exec ${as.join(" ")} ${postgres_bin}/postgres -D "$0" "$@"`;
  return {
    app: (data) => ["sh", "-c", server, data, ...settings.flatMap((one) => ["-c", one])],
    args: ["--ready", `postgres://127.0.0.1:${port}`],
    env: { PGHOST: root, PGPORT: `${port}` },
    begin() {
      // A dump doesn't bring roles, and without its owner a table can't be made.
      sql(
        "create role app; create table written (number bigint primary key); alter table written owner to app",
      );
    },
    insert: (number) => void sql(`insert into written values (${number})`),
    stored: () => numbers(sql("select number from written order by number")),
    sql,
  };
}
