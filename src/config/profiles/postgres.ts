import type { Profile } from "./profile.ts";

export const postgres: Profile = {
  app: "PostgreSQL",
  programs: ["postgres"],
  options: { "stop-signal": "SIGINT", "stop-timeout": "60s", ready: "postgres://127.0.0.1:5432" },
  data: {
    image: "/var/lib/postgresql/data",
    flags: ["-D", "--data-directory", "--pgdata"],
    markers: ["PG_VERSION"],
    version: { files: ["PG_VERSION"], variable: "PG_MAJOR" },
    own_directory: "initdb refuses a directory that isn't empty",
    stale: ["postmaster.pid"],
    settings: ["postgresql.conf", "postgresql.auto.conf"],
  },
  left: [
    {
      file: "*.s.PGSQL.5432.lock",
      why: "it lies beside the socket, in the container's own /var/run/postgresql",
    },
  ],
  dangers: [
    {
      setting: "fsync",
      values: ["off", "false", "no", "0"],
      where: "anywhere",
      costs: "a crash of the machine or the volume can leave a database that nothing repairs",
    },
    {
      setting: "full-page-writes",
      values: ["off", "false", "no", "0"],
      where: "anywhere",
      costs: "a page that was half written can't be repaired",
    },
    {
      setting: "synchronous-commit",
      values: ["off"],
      where: "anywhere",
      costs: "commits of the last moments are lost when the app is killed",
    },
    {
      setting: "dynamic-shared-memory-type",
      values: ["mmap"],
      where: "network",
      costs: "shared memory lies in files of the data directory, on the network",
    },
  ],
  network: null,
  notes: [
    "SIGINT is the fast shutdown: clients are sent away, then a checkpoint. SIGTERM, the smart one, waits for clients to leave.",
    "With PGDATA elsewhere than in the image's place, give --data: the app's environment isn't leasehold's.",
    "On NFS: mount with hard, export with sync.",
    "The server of the image's initialisation listens on a Unix socket only, so it isn't ready before that is over.",
    "A postmaster.pid that is empty, or names a process which lives and isn't the server's own ancestor, keeps it from starting; after a kill on another machine, or in another container, the number may be anybody's.",
  ],
  sources: [
    {
      says: "SIGTERM smart, SIGINT fast, SIGQUIT immediate",
      url: "https://www.postgresql.org/docs/current/server-shutdown.html",
    },
    {
      says: "NFS: hard, and the export's sync",
      url: "https://www.postgresql.org/docs/current/creating-cluster.html",
    },
    {
      says: "fsync, full_page_writes, synchronous_commit",
      url: "https://www.postgresql.org/docs/current/runtime-config-wal.html",
    },
    {
      says: "the lock file: CreateLockFile",
      url: "https://github.com/postgres/postgres/blob/REL_15_STABLE/src/backend/utils/init/miscinit.c",
    },
    {
      says: "the image: STOPSIGNAL SIGINT, PGDATA, PG_VERSION as the marker",
      url: "https://github.com/docker-library/postgres",
    },
  ],
  run: "PostgreSQL 15: readiness, the marker, postmaster.pid, settings, the stop",
};
