import type { Profile } from "./profile.ts";

export const rethinkdb: Profile = {
  app: "RethinkDB",
  programs: ["rethinkdb"],
  options: { "stop-signal": "SIGTERM", "stop-timeout": "60s", ready: "http://127.0.0.1:8080/" },
  data: {
    image: "/data/rethinkdb_data",
    flags: ["-d", "--directory"],
    markers: ["metadata"],
    stale: [],
    settings: [],
  },
  left: [
    {
      file: "the directory itself",
      why: 'it is locked by the kernel: "Directory … is already in use" means a process that lives',
    },
  ],
  dangers: [],
  network: null,
  notes: [
    "With --no-http-admin there is nothing to ask at port 8080: give --ready tcp://127.0.0.1:28015.",
    "A table's durability is its own setting; soft means that acknowledged writes of the last moments are lost when the app is killed.",
  ],
  sources: [
    {
      says: "the lock on the directory",
      url: "https://github.com/rethinkdb/rethinkdb/blob/v2.4.x/src/clustering/administration/main/directory_lock.hpp",
    },
    {
      says: "SIGINT and SIGTERM flush, then end",
      url: "https://gist.github.com/affixalex/ebd57865ebcfa01282a3",
    },
  ],
  run: null,
};
