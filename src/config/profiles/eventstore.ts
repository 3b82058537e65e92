import type { Profile } from "./profile.ts";

export const eventstore: Profile = {
  app: "EventStoreDB",
  programs: ["eventstored", "EventStore.ClusterNode"],
  options: {
    "stop-signal": "SIGTERM",
    "stop-timeout": "60s",
    ready: "http://127.0.0.1:2113/health/live",
  },
  data: {
    image: "/var/lib/eventstore",
    flags: ["--db"],
    markers: ["writer.chk"],
    stale: [],
    settings: [],
  },
  left: [],
  dangers: [
    {
      setting: "unsafe-disable-flush-to-disk",
      values: ["", "true"],
      where: "anywhere",
      costs: "acknowledged events are lost with the machine or the volume",
    },
    {
      setting: "mem-db",
      values: ["", "true"],
      where: "anywhere",
      costs: "everything is lost when the app ends",
    },
    {
      setting: "skip-db-verify",
      values: ["", "true"],
      where: "anywhere",
      costs: "damage is found only when it is read",
    },
  ],
  network: null,
  notes: [
    "Without --insecure it speaks TLS: give --ready https://127.0.0.1:2113/health/live.",
    "Variables such as EVENTSTORE_MEM_DB and eventstore.conf are not looked at: only the command's settings.",
  ],
  sources: [
    {
      says: "/health/live, as its own test set-up asks it",
      url: "https://github.com/EventStore/EventStore/blob/master/docker-compose.yml",
    },
    {
      says: "UnsafeDisableFlushToDisk and others",
      url: "https://github.com/EventStore/EventStore/blob/master/docs/configuration.md",
    },
  ],
  run: null,
};
