import type { Danger, Profile } from "./profile.ts";

/** What MySQL and MariaDB have in common. */
export const innodb_dangers: readonly Danger[] = [
  {
    setting: "innodb-flush-log-at-trx-commit",
    values: ["0", "2"],
    where: "anywhere",
    costs: "commits of the last second are lost when the machine or the volume is",
  },
  {
    setting: "innodb-doublewrite",
    values: ["0", "off", "false", "detect_only"],
    where: "anywhere",
    costs: "a page that was half written can't be repaired",
  },
  {
    setting: "innodb-flush-method",
    values: ["nosync", "littlesync", "o_direct_no_fsync"],
    where: "anywhere",
    costs: "data that a commit relies on may never have reached the storage",
  },
  {
    setting: "sync-binlog",
    values: ["0"],
    where: "anywhere",
    costs: "the binary log may lack transactions that were committed",
  },
];

export const mysql: Profile = {
  app: "MySQL",
  programs: ["mysqld"],
  options: { "stop-signal": "SIGTERM", "stop-timeout": "60s", ready: "mysql://127.0.0.1:3306" },
  data: {
    image: "/var/lib/mysql",
    flags: ["--datadir"],
    markers: ["mysql"],
    version: { files: ["mysql_upgrade_info"], variable: "MYSQL_MAJOR" },
    stale: ["mysql.sock.lock", "mysqld.sock.lock", "mysqlx.sock.lock"],
    settings: [],
  },
  left: [
    {
      file: "*.pid",
      why: "mysqld writes it anew and doesn't look at what was there",
    },
  ],
  dangers: innodb_dangers,
  network: null,
  notes: [
    "The server that the image's entry point starts for its initialisation has no network (--skip-networking), so it isn't ready before that is over.",
    "A socket's lock file that names a process which lives keeps mysqld from starting, and in a container small numbers are soon somebody's; an empty one does, too.",
    "Settings in my.cnf are not looked at: only those of the command.",
  ],
  sources: [
    {
      says: "SIGTERM shuts the server down",
      url: "https://dev.mysql.com/doc/refman/8.4/en/unix-signal-response.html",
    },
    {
      says: "initialised when datadir/mysql is there; --skip-networking",
      url: "https://github.com/docker-library/mysql/blob/15c936e13eee08622d525c35d73f77205cb607aa/docker-entrypoint.sh",
    },
    {
      says: "the socket's lock file: refused when its process lives, or when it is empty (create_lockfile)",
      url: "https://github.com/mysql/mysql-server/blob/5.7/sql/conn_handler/socket_connection.cc",
    },
    {
      says: "flush methods",
      url: "https://docs.netapp.com/us-en/ontap-apps-dbs/mysql/mysql-innodb_flush_method.html",
    },
    {
      says: "innodb_flush_log_at_trx_commit, innodb_doublewrite",
      url: "https://dev.mysql.com/doc/refman/8.4/en/innodb-parameters.html",
    },
  ],
  run: null,
};
