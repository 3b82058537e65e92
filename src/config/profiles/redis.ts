import type { Profile } from "./profile.ts";

export const redis: Profile = {
  app: "Redis",
  programs: ["redis-server"],
  options: { "stop-signal": "SIGTERM", "stop-timeout": "30s", ready: "redis://127.0.0.1:6379" },
  data: {
    image: "/data",
    flags: ["--dir"],
    markers: ["appendonlydir", "dump.rdb", "appendonly.aof"],
    stale: [],
    settings: [],
  },
  left: [],
  dangers: [
    {
      setting: "appendfsync",
      values: ["no"],
      where: "anywhere",
      costs: "what was acknowledged in the last half minute is lost with the machine or the volume",
    },
    {
      setting: "appendonly",
      values: ["no"],
      where: "anywhere",
      costs: "what was acknowledged since the last snapshot is lost when the app is killed",
    },
    {
      setting: "stop-writes-on-bgsave-error",
      values: ["no"],
      where: "anywhere",
      costs: "it goes on when nothing reaches the volume any more",
    },
  ],
  network: null,
  notes: [
    "Without appendonly yes Redis keeps snapshots only, and its default is no: give it, if acknowledged writes have to outlive a kill.",
    "A Redis that can't save answers MISCONF to PING and isn't ready, for it takes no writes.",
    "Settings in a configuration file are not looked at: only those of the command.",
  ],
  sources: [
    {
      says: "appendonly, appendfsync, what each may lose",
      url: "https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/",
    },
    {
      says: "SIGTERM: saves, then ends",
      url: "https://redis.io/docs/latest/develop/reference/signals/",
    },
    {
      says: "PING gets LOADING",
      url: "https://redis.io/docs/latest/develop/reference/errors/common/loading/",
    },
  ],
  run: "Redis 7.0: readiness, settings, the stop",
};
