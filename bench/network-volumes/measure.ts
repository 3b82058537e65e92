// The throughput of databases whose data lies on a labelled volume: measure PATH PAIRS SECONDS
// all|postgresql|redis [control]. Prints the table's lines as JSON.

import { compare, pgbench, postgres_with, redis_with } from "../paired.ts";
import { keep_away } from "../processors.ts";

const [, , path = "", pairs, seconds, load, control] = process.argv;

/** Only what writes: what is read often lies in this machine's memory. */
const subjects = [
  postgres_with(
    5,
    ["shared_buffers=128MB", "max_wal_size=400MB", "checkpoint_timeout=1h"],
    [{ name: "pgbench, TPC-B-like", per_second: pgbench() }],
  ),
  redis_with(["set"]),
]
  .filter(({ database }) => load === "all" || load === database.name.toLowerCase())
  // The controller, too: in its first seconds it compiles what it then runs for days.
  .map((subject) => ({ ...subject, warm_s: 6 }));
const plan = { pairs: Number(pairs), seconds: Number(seconds), control: control !== undefined };
const lines = await compare(plan, subjects, {
  parent: path,
  args: ["--volume", path],
  on_ready: () => keep_away("etcd"),
});
process.stdout.write(JSON.stringify(lines));
