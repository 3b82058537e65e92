import type { Status } from "../../src/ops/status.ts";

/** A contender that holds the lock, and whose app runs. */
export const a_status: Status = {
  state: "running",
  since: "2026-01-02T03:04:05.678Z",
  because: "the app runs",
  version: "1.2.3",
  node: 'a"\\\n',
  instance: "1234",
  address: "10.0.0.1:3306",
  lock: "zk://h:2181/a",
  leading: true,
  ready: true,
  holder: { node: "a", instance: "1234", address: "10.0.0.1:3306" },
  token: "7",
  deadline_in_ms: 21_500,
  proofs: { ok: 10, failed: 1, last_ms: 4 },
  app: { starts: 1, pid: 42, unready: null, ready_after_ms: 3100 },
  losses: 0,
  hooks: { ok: 2, failed: 0 },
  volumes: [
    {
      path: "/data",
      id: "6f0c0de4-8bd6-4e5e-9f2b-0d5c0d3a7a11",
      verdict: "ok",
      because: "the volume /data works, and answered in 12 ms",
      free_bytes: 4096,
      took_ms: 12,
    },
  ],
  restoring: null,
  backup: {
    ...{
      ok: 3,
      failed: 1,
      skipped: 0,
      failure: null,
      not_advanced: null,
      next_in_ms: 60_000,
      progress: null,
    },
    last: { id: "20260102T030000Z-0a1b2c3d", at: "2026-01-02T03:00:00.000Z", bytes: 1000, took_ms: 250 },
    at_risk_ms: 245_678,
  },
  log: { dropped: 0 },
  history: [{ at: "2026-01-02T03:04:05.678Z", because: "the app runs" }],
};
