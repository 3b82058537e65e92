// Local disks: the holder of a PostgreSQL with 1 GB is destroyed with its disk, the other one restores the backup from the built-in
// store, replays the log up to the end, and serves. examples/postgres as it lies there.

import { statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { as_user, postgres_bin, run } from "../../test/support/databases.ts";
import type { Line as LogLine } from "../../test/support/contenders.ts";
import { local_disks } from "../../test/support/local-disks.ts";
import { local_postgres } from "../../test/support/local-postgres.ts";
import { type Line, type Row, single, times } from "./line.ts";
import { with_ends } from "./services.ts";

const ttl_ms = 10_000;
/** pgbench's scale: 15 MB each. */
const scale = 68;
const write_s = 20;

type Parts = {
  lock_ms: number;
  restore_ms: number;
  ready_ms: number;
  total_ms: number;
  size_mb: number;
  log_mb: number;
};

async function once(): Promise<Parts> {
  return with_ends(async (ends) => {
    const disks = await local_disks(ends, "postgres", "leasehold.yaml", ttl_ms);
    const server = await local_postgres(disks);
    const { PGHOST = "", PGPORT = "" } = server.env ?? {};
    const pgbench = (...words: string[]): string =>
      run("root", [...as_user("postgres"), `${postgres_bin}/pgbench`, "-h", PGHOST, "-p", PGPORT, ...words]);
    const a = await disks.start("a", server);
    pgbench("-i", "-q", "-s", `${scale}`, "postgres");
    const size_mb = Number(server.sql("select pg_database_size('postgres')")) / 1e6;
    await disks.back_up(a);
    const before = server.sql("select pg_current_wal_lsn()").trim();
    pgbench("-c", "8", "-T", `${write_s}`, "postgres");
    const log_mb = Number(server.sql(`select pg_current_wal_lsn() - '${before}'::pg_lsn`)) / 1e6;
    const history = server.sql("select count(*) from pgbench_history");
    server.sql("select pg_switch_wal()");
    for (let look = 0; Number(server.sql(unarchived)) > 0; look++)
      if (look > 600) throw new Error("the log is not archived");
      else await new Promise((resolve) => setTimeout(resolve, 100));

    await disks.destroy(a);
    const destroyed_ms = Date.now();
    const b = await disks.start("b", server);
    if (server.sql("select count(*) from pgbench_history") !== history)
      throw new Error(`what was archived is not there\n${b.story()}`);
    const at_ms = (what: (line: LogLine) => boolean): number => {
      const line = b.lines().find(what);
      if (line?.time === undefined) throw new Error(`no such line\n${b.story()}`);
      return Date.parse(line.time);
    };
    const held_ms = at_ms(({ state }) => state === "preparing");
    const started_ms = at_ms(({ state }) => state === "running");
    const ready_ms = at_ms(({ message }) => message === "the app is ready");
    const parts = {
      lock_ms: held_ms - destroyed_ms,
      restore_ms: started_ms - held_ms,
      ready_ms: ready_ms - started_ms,
      total_ms: ready_ms - destroyed_ms,
    };
    await disks.stop(b);
    return { ...parts, size_mb, log_mb };
  });
}

/** Segments that are complete, and not in the archive yet. */
const unarchived = "select count(*) from pg_ls_dir('pg_wal/archive_status') name where name like '%.ready'";

async function measure(runs: number): Promise<Line[]> {
  const { bavail, bsize } = statfsSync(tmpdir());
  if (bavail * bsize < 6e9) throw new Error(`${tmpdir()} has no room for 6 GB`);
  const all: Parts[] = [];
  for (let count = 0; count < runs; count++) all.push(await once());
  const of = (part: keyof Parts): number[] => all.map((one) => one[part]);
  const [size_mb = 0] = of("size_mb").map(Math.round);
  const who = "leasehold, file:";
  return [
    times(
      `holder destroyed with its disk → the other one serves, PostgreSQL with ${size_mb} MB`,
      who,
      of("total_ms"),
    ),
    times(
      `– the lock: the rest of the lease, TTL ${ttl_ms / 1000} s, by one who comes now`,
      who,
      of("lock_ms"),
    ),
    times("– restore: from the built-in store, checked, flushed, in its place", who, of("restore_ms")),
    times("– start → ready: PostgreSQL replays its log from the archive", who, of("ready_ms")),
    single(
      "– the log that it replays",
      who,
      runs,
      of("log_mb")
        .map((mb) => `${mb.toFixed(0)} MB`)
        .join(", "),
    ),
  ];
}

export const fail_over: readonly Row[] = [
  { name: "fail-over", measure: async (runs) => ({ lines: await measure(runs(3)) }) },
];
