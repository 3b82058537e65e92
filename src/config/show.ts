import { format_duration } from "./durations.ts";
import { escape_field } from "./fields.ts";
import type { Settings } from "./load.ts";
import { format_endpoint, format_lock_url } from "./lock-url.ts";
import { format_ready } from "./ready.ts";
import { option, option_names, type OptionName } from "./options.ts";
import { escaped } from "./quoted.ts";
import { format_signal } from "./signals.ts";
import { format_volume } from "./volume.ts";

/** Each option in effect as a line of YAML, its source as the comment: read as --config, it gives the same again. */
export function show(settings: Settings): string {
  const rows = option_names.flatMap((name): [string, string][] => {
    const value = text_of(name, settings);
    const source = settings.sources[name] ?? "default";
    if (value === undefined) return [];
    const where = escaped(source);
    return [[`${name === "config" || name === "lock-password" ? "# " : ""}${name}: ${value}`, where]];
  });
  const width = Math.min(50, Math.max(...rows.map(([text]) => text.length)));
  return rows.map(([text, source]) => `${text.padEnd(width)}  # ${source}\n`).join("");
}

function text_of(name: OptionName, settings: Settings): string | undefined {
  const { given, timing, hooks } = settings;
  const { values } = given;
  const durations: Partial<Record<OptionName, number>> = {
    ttl: timing.ttl_ms,
    "loss-grace": timing.loss_grace_ms,
    drain: timing.drain_ms,
    margin: timing.margin_ms,
    "stop-timeout": timing.stop_timeout_ms,
    "hook-timeout": settings.hook_timeout_ms,
    ...(settings.attach && {
      "attach-timeout": settings.attach.step_timeout_ms,
      "fsck-timeout": settings.attach.fsck_timeout_ms,
    }),
    ...(settings.data && {
      "restore-timeout": settings.data.restore.timeout_ms,
      "restore-keep": settings.data.restore.keep_ms,
      "backup-jitter": settings.data.backup.jitter_ms,
      "backup-timeout": settings.data.backup.timeout_ms,
      ...(settings.data.backup.keep_for_ms !== null && {
        "backup-keep-for": settings.data.backup.keep_for_ms,
      }),
    }),
    ...(settings.ready && {
      "ready-timeout": settings.ready.timeout_ms,
      "ready-every": settings.ready.every_ms,
      "ready-limit": settings.ready.limit_ms,
    }),
    ...(settings.wait_timeout_ms !== null && { "wait-timeout": settings.wait_timeout_ms }),
  };
  const duration_ms = durations[name];
  if (duration_ms !== undefined) return format_duration(Math.round(duration_ms));
  switch (name) {
    case "lock":
      return values.lock && scalar(format_lock_url(values.lock));
    case "lock-password":
      return values["lock-password"] === undefined ? undefined : "***";
    case "node":
      return scalar(settings.node);
    case "volume":
      return settings.volumes.length === 0 ? undefined : list(settings.volumes.map(format_volume));
    case "volume-lease":
      return settings.volume_lease ? "on" : "off";
    case "on-outage":
      return settings.on_outage;
    case "attach":
    case "detach":
    case "mount":
    case "unmount":
    case "fsck":
      return list(settings.attach?.[name] ?? null);
    case "device":
      return settings.attach?.built_in ? scalar(escape_field(settings.attach.built_in.device)) : undefined;
    case "stop-signal":
      return format_signal(settings.stop_signal);
    case "stop-scope":
      return settings.stop_scope;
    case "restart": {
      const { restarts_max: most } = settings;
      return most === 0 ? "never" : `on-failure${most === Infinity ? "" : `:${most}`}`;
    }
    case "ready":
      return scalar(format_ready(settings.ready?.check ?? null));
    case "when-busy":
      return settings.when_busy;
    case "on-loss":
      return settings.on_loss;
    case "log-level":
      return settings.log_level;
    case "listen":
      return settings.listen ? scalar(format_endpoint(settings.listen)) : undefined;
    case "fence":
      return list(hooks.fence);
    case "pre-start":
      return list(hooks.pre_start);
    case "post-stop":
      return list(hooks.post_stop);
    case "lost":
      return list(hooks.lost);
    case "restore-with":
    case "restore-check":
    case "backup-with":
      return list(values[name] ?? null);
    case "data":
      return settings.data ? scalar(escape_field(settings.data.path)) : undefined;
    case "backup-store":
      return settings.data?.store ? scalar(format_volume(settings.data.store)) : undefined;
    default: {
      const raw = option(name).kind === "duration" ? undefined : given.raw[name];
      return typeof raw === "string" ? scalar(raw) : undefined;
    }
  }
}

function list(command: readonly string[] | null): string | undefined {
  return command === null ? undefined : `[${command.map((part) => JSON.stringify(part)).join(", ")}]`;
}

/** Plain where YAML reads it as the same text, else in quotes. */
function scalar(text: string): string {
  return /^[\w./][\w./:,+=~@-]*$/.test(text) && !text.endsWith(":") ? text : JSON.stringify(text);
}
