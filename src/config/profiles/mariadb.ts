import { innodb_dangers } from "./mysql.ts";
import type { Profile } from "./profile.ts";

export const mariadb: Profile = {
  app: "MariaDB",
  programs: ["mariadbd", "mysqld"],
  options: {
    "stop-signal": "SIGTERM",
    "stop-timeout": "60s",
    ready: "mysql://127.0.0.1:3306",
    "ready-every": "30s",
  },
  data: {
    image: "/var/lib/mysql",
    flags: ["--datadir"],
    markers: ["mysql"],
    version: { files: ["mariadb_upgrade_info", "mysql_upgrade_info"], variable: "MARIADB_VERSION" },
    stale: [],
    settings: [],
  },
  left: [
    {
      file: "aria_log_control, ibdata1",
      why: "they are locked by the kernel, not by what is in them; on NFS the lock of a lost machine lasts until the server has forgotten it",
    },
    { file: "*.pid", why: "mariadbd writes it anew and doesn't look at what was there" },
  ],
  dangers: innodb_dangers,
  network: null,
  notes: [
    'With log_warnings 2, its default, MariaDB has a line in its log for each question: "Aborted connection … closed normally without authentication". Hence every 30 s once it is ready; log_warnings=1 ends it.',
    "Settings in my.cnf are not looked at: only those of the command.",
    "innodb_flush_method=O_DIRECT, the default, is safe on NFS; how fast it is there depends on the server.",
  ],
  sources: [
    {
      says: "innodb_flush_method and its default",
      url: "https://mariadb.com/docs/reference/mdb/system-variables/innodb_flush_method/",
    },
    {
      says: "innodb_flush_log_at_trx_commit, innodb_doublewrite",
      url: "https://mariadb.com/kb/en/innodb-system-variables/",
    },
  ],
  run: "MariaDB 10.11: readiness, the marker, the stop",
};
