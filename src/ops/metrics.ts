import type { Status } from "./status.ts";

type Metric = { name: string; type: "gauge" | "counter"; help: string; value: number | null };

/** Prometheus' text format. A metric without a value is left out: a missing deadline is not the deadline 0. */
export function metrics(status: Status): string {
  const { node, version, proofs, deadline_in_ms } = status;
  const seconds = (duration_ms: number | null): number | null =>
    duration_ms === null ? null : duration_ms / 1000;
  const info = `leasehold_info{node="${label(node)}",version="${label(version)}",state="${label(status.state)}"} 1`;
  const all: Metric[] = [
    gauge("leasehold_leading", "1 while this contender holds the lock", status.leading ? 1 : 0),
    gauge(
      "leasehold_ready",
      "1 while it holds the lock, and the app runs and is ready",
      status.ready ? 1 : 0,
    ),
    gauge(
      "leasehold_app_ready_after_seconds",
      "from the app's last start until it was ready",
      seconds(status.app.ready_after_ms),
    ),
    gauge(
      "leasehold_deadline_seconds",
      "until the guard kills the app, negative afterwards",
      seconds(deadline_in_ms),
    ),
    gauge("leasehold_proof_seconds", "how long the last proof of the lock took", seconds(proofs.last_ms)),
    gauge("leasehold_fencing_token", "of this tenure; beyond 2^53 not exact", token(status.token)),
    counter("leasehold_proofs_total", "proofs of the lock that worked", proofs.ok),
    counter("leasehold_proofs_failed_total", "proofs of the lock without an answer", proofs.failed),
    counter("leasehold_losses_total", "leases or volumes lost while the app ran", status.losses),
    counter("leasehold_app_starts_total", "starts of the app", status.app.starts),
    counter("leasehold_hooks_total", "hooks that worked", status.hooks.ok),
    counter("leasehold_hooks_failed_total", "hooks that failed", status.hooks.failed),
    counter("leasehold_log_lines_dropped_total", "log lines that nobody read in time", status.log.dropped),
  ];
  return [
    "# HELP leasehold_info who this is",
    "# TYPE leasehold_info gauge",
    info,
    ...text_of(all),
    ...volume_lines(status.volumes),
    ...text_of(backup_metrics(status.backup)),
    "",
  ].join("\n");
}

function text_of(all: readonly Metric[]): string[] {
  return all.flatMap(({ name, type, help, value }) =>
    value === null ? [] : [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, `${name} ${value}`],
  );
}

function backup_metrics(backup: Status["backup"]): Metric[] {
  if (backup === null) return [];
  const { ok, failed, skipped, last, not_advanced, at_risk_ms } = backup;
  const seconds = (duration_ms: number | null): number | null =>
    duration_ms === null ? null : duration_ms / 1000;
  return [
    gauge("leasehold_backup_at_risk_seconds", "of writes that no backup has", seconds(at_risk_ms)),
    gauge(
      "leasehold_backup_last_timestamp_seconds",
      "when the last good backup was begun",
      seconds(last && Date.parse(last.at)),
    ),
    gauge("leasehold_backup_last_duration_seconds", "how long it took", seconds(last && last.took_ms)),
    gauge("leasehold_backup_last_bytes", "what a restore of it writes", last?.bytes ?? null),
    gauge(
      "leasehold_backup_not_advanced",
      "1 while the last one is not later than what was restored",
      Number(not_advanced !== null),
    ),
    counter("leasehold_backups_total", "backups that were made", ok),
    counter("leasehold_backups_failed_total", "backups that failed", failed),
    counter("leasehold_backups_skipped_total", "backups left out because another still ran", skipped),
  ];
}

function volume_lines(volumes: Status["volumes"]): string[] {
  const rows = [
    ["leasehold_volume_ok", "1 while the last look at the volume found nothing wrong"],
    ["leasehold_volume_look_seconds", "how long the last look at the volume took"],
    ["leasehold_volume_free_bytes", "room on the volume"],
  ] as const;
  if (volumes.length === 0) return [];
  return rows.flatMap(([name, help], row) => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} gauge`,
    ...volumes.flatMap(({ path, verdict, took_ms, free_bytes }) => {
      const value = [verdict === "ok" ? 1 : 0, took_ms / 1000, free_bytes][row] ?? null;
      return value === null ? [] : [`${name}{path="${label(path)}"} ${value}`];
    }),
  ]);
}

export const metrics_type = "text/plain; version=0.0.4; charset=utf-8";

function gauge(name: string, help: string, value: number | null): Metric {
  return { name, type: "gauge", help, value };
}

function counter(name: string, help: string, value: number): Metric {
  return { name, type: "counter", help, value };
}

function token(text: string | null): number | null {
  return text === null || text === "" ? null : Number(text);
}

function label(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
