import type { Profile } from "./profile.ts";

export const mongodb: Profile = {
  app: "MongoDB",
  programs: ["mongod"],
  options: { "stop-signal": "SIGTERM", "stop-timeout": "60s", ready: "mongodb://127.0.0.1:27017" },
  data: {
    image: "/data/db",
    flags: ["--dbpath"],
    markers: ["WiredTiger"],
    stale: [],
    settings: [],
  },
  left: [
    {
      file: "mongod.lock, WiredTiger.lock",
      why: "they are locked by the kernel; what is in mongod.lock tells of an unclean end, which mongod repairs from its journal",
    },
  ],
  dangers: [
    {
      setting: "nojournal",
      values: [""],
      where: "anywhere",
      costs: "what was written since the last checkpoint is lost when the app is killed",
    },
    {
      setting: "storageengine",
      values: ["mmapv1"],
      where: "network",
      costs: "memory-mapped files on a network file system are not kept in step",
    },
  ],
  network: null,
  notes: [
    "Ready means that it takes writes; a mongod with --replSet has to be initiated and elected first.",
    "On NFS MongoDB wants hard, nolock, noatime and bg; with nolock only leasehold keeps a second mongod away.",
    "hello came with 3.6.21, 4.0.21, 4.2.10 and 4.4.2; check older ones with tcp.",
  ],
  sources: [
    { says: "hello", url: "https://www.mongodb.com/docs/manual/reference/command/hello/" },
    {
      says: "mongod.lock, and that the journal repairs an unclean end",
      url: "https://www.mongodb.com/docs/manual/tutorial/recover-data-following-unexpected-shutdown/",
    },
    { says: "mount options for NFS", url: "https://github.com/mongodb/docs/pull/5233" },
  ],
  run: null,
};
