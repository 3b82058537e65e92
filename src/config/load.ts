import { constants, hostname } from "node:os";
import { check, derive, type Timing } from "../core/timing.ts";
import { ConfigError, UsageError } from "../errors.ts";
import { type AttachPlan, read_attach } from "./attach.ts";
import { type Credentials, read_credentials } from "./credentials.ts";
import { check_schedule, type DataPlan, read_data } from "./data.ts";
import { type Environment, read_environment } from "./environment.ts";
import { escape_field, type Templates } from "./fields.ts";
import { type Endpoint, format_lock_url, type LockUrl } from "./lock-url.ts";
import { option_names, type OptionName } from "./options.ts";
import { type ProfileName, profiles } from "./profiles/all.ts";
import type { Profile } from "./profiles/profile.ts";
import type { ReadyCheck } from "./ready.ts";
import { parse_value, type Raw, type Values } from "./values.ts";
import { read_volumes, type VolumeRequirement } from "./volume.ts";

export type LogLevel = NonNullable<Values["log-level"]>;
export type LogFormat = NonNullable<Values["log-format"]>;

/** Where a value came from, as the user wrote it: "--ttl", "LEASEHOLD_TTL", "leasehold.yaml, line 3: ttl", "default". */
type Sources = Partial<Record<OptionName, string>>;

/** The options in effect, those of the lock apart. null: not given, and there is no default. */
export type Settings = {
  node: string;
  advertise: string | null;
  timing: Timing;
  stop_signal: number;
  stop_scope: "main" | "group";
  profile: ProfileName | null;
  ready: ReadyRules | null;
  /** 0: never; Infinity: always. */
  restarts_max: number;
  when_busy: "wait" | "exit";
  wait_timeout_ms: number | null;
  on_loss: "exit" | "standby";
  /** With a file: lock its volume is one of them. */
  volumes: readonly VolumeRequirement[];
  /** Of the first volume. */
  volume_lease: boolean;
  on_outage: "stop" | "hold";
  attach: AttachPlan | null;
  /** Restore and backup. */
  data: DataPlan | null;
  /** Commands as they are run. */
  hooks: Record<"fence" | "pre_start" | "post_stop" | "lost", readonly string[] | null>;
  hook_timeout_ms: number;
  listen: Endpoint | null;
  termination_log: string | null;
  /** null: pretty on a terminal, else json. */
  log_format: LogFormat | null;
  log_level: LogLevel;
  sources: Sources;
  /** What was given, as text and as it was read; with the password. */
  given: { raw: Partial<Record<OptionName, Raw>>; values: Values };
  /** Sentences for the log: unknown variables. */
  warnings: readonly string[];
};

/** check: how the app is asked; the first time that it is ready has to come within timeout_ms. */
export type ReadyRules = { check: ReadyCheck; timeout_ms: number; every_ms: number; limit_ms: number };

export type Config = Settings & { lock: LockUrl; credentials: Credentials };

/** What the command line gave, by option name. */
export type Flags = Partial<Record<OptionName, Raw>>;

/** Everything that has to be right before anything starts: all values, their sums, the credentials' files. */
export async function load_config(flags: Flags, environment: Environment): Promise<Config> {
  const settings = await load_settings(flags, environment);
  const [wrong] = check(settings.timing);
  if (wrong !== undefined) throw too_short(wrong, settings.timing);
  const { lock, "backup-store": store } = settings.given.values;
  if (store !== undefined && settings.data === null)
    throw new ConfigError(
      "--backup-store is given without --data",
      store,
      "give --data PATH, the app's data directory",
    );
  if (lock === undefined) {
    throw new UsageError(
      "--lock is missing",
      "",
      "give --lock, LEASEHOLD_LOCK or lock in the file, e.g. zk://zk1/mysql",
    );
  }
  return { ...settings, lock, credentials: read_credentials(settings.given.values, lock) };
}

export function too_short(sentence: string, { ttl_ms }: Timing): ConfigError {
  return new ConfigError(
    sentence,
    String(ttl_ms),
    "lengthen --ttl or shorten the parts, see leasehold explain",
  );
}

/** Reads every value: flags beat the environment, which beats the file. Sums and credentials are not checked yet. */
export async function load_settings(flags: Flags, environment: Environment): Promise<Settings> {
  const from_environment = read_environment(environment);
  const values: Values = {};
  const raw: Partial<Record<OptionName, Raw>> = {};
  const sources: Sources = {};
  const take = (name: OptionName, text: Raw, where: string): void => {
    Object.assign(values, { [name]: parse_value(name, text, where) });
    raw[name] = text;
    sources[name] = where;
  };

  // Every value is read, also one that another beats: a wrong one would come to light on the day the other is taken out.
  const variables = new Map(from_environment.entries.map((entry) => [entry.name, entry]));
  const config = variables.get("config");
  if (config) take("config", config.raw, config.where);
  if (flags.config !== undefined) take("config", flags.config, "--config");
  if (values.config !== undefined) {
    const { read_config_file } = await import("./file.ts");
    for (const entry of read_config_file(values.config)) take(entry.name, entry.raw, entry.where);
  }
  for (const { name, raw: text, where } of variables.values()) if (name !== "config") take(name, text, where);
  for (const name of option_names) {
    const text = flags[name];
    if (text !== undefined && name !== "config") take(name, text, `--${name}`);
  }
  if (values.profile !== undefined) {
    const { options }: Profile = profiles[values.profile];
    for (const name of option_names) {
      const text = options[name];
      if (text !== undefined && !(name in values)) take(name, text, `the profile ${values.profile}`);
    }
  }
  const settled = settle(values, environment);
  await check_schedule(settled.data);
  return {
    ...settled,
    sources,
    given: { raw, values },
    warnings: from_environment.warnings,
  };
}

/** The defaults, those that follow from other values included. */
function settle(values: Values, env: Environment): Omit<Settings, "sources" | "given" | "warnings"> {
  const ttl_ms = values.ttl ?? 30_000;
  const node = values.node ?? parse_value("node", hostname(), "the hostname, which is --node by default,");
  const storage = settle_storage(values, { node, env });
  return {
    node,
    advertise: values.advertise ?? null,
    timing: {
      ttl_ms,
      loss_grace_ms: values["loss-grace"] ?? Math.min(ttl_ms / 5, 5000),
      drain_ms: values.drain ?? (storage.volumes.length > 0 ? 1000 : 0),
      margin_ms: values.margin ?? Math.max(500, ttl_ms / 20),
      ...derive(ttl_ms),
      stop_timeout_ms: values["stop-timeout"] ?? 20_000,
    },
    stop_signal: values["stop-signal"] ?? constants.signals.SIGTERM,
    stop_scope: values["stop-scope"] ?? "main",
    profile: values.profile ?? null,
    ready: settle_ready(values),
    restarts_max: values.restart ?? 0,
    when_busy: values["when-busy"] ?? "wait",
    wait_timeout_ms: values["wait-timeout"] ?? null,
    on_loss: values["on-loss"] ?? "exit",
    ...storage,
    data: read_data(values, { node, env }),
    hooks: {
      fence: values.fence ?? null,
      pre_start: values["pre-start"] ?? null,
      post_stop: values["post-stop"] ?? null,
      lost: values.lost ?? null,
    },
    hook_timeout_ms: values["hook-timeout"] ?? 60_000,
    listen: values.listen ?? null,
    termination_log: values["termination-log"] ?? null,
    log_format: values["log-format"] ?? null,
    log_level: values["log-level"] ?? "info",
  };
}

function settle_ready(values: Values): ReadyRules | null {
  if (!values.ready) return null;
  return {
    check: values.ready,
    timeout_ms: values["ready-timeout"] ?? 15 * 60_000,
    every_ms: values["ready-every"] ?? 5000,
    limit_ms: values["ready-limit"] ?? 2000,
  };
}

function settle_storage(
  values: Values,
  templates: Templates,
): Pick<Settings, "volumes" | "volume_lease" | "on_outage" | "attach"> {
  const volumes = volumes_of(values, templates);
  const attach = read_attach(values, volumes, templates);
  const by_default = volumes.length > 0 && attach === null ? "on" : "off";
  const volume_lease = (values["volume-lease"] ?? by_default) === "on";
  const on_outage = values["on-outage"] ?? "stop";
  const refuse = (what: string, remedy: string): never => {
    throw new ConfigError(what, "", remedy);
  };
  if (volume_lease && volumes.length === 0)
    refuse("--volume-lease is on, but there is no volume", "give --volume, or leave --volume-lease out");
  if (attach && values.lock?.scheme === "file")
    refuse(
      "a file: lock lies on its volume, and that comes only with the lock",
      "take another lock, or mount it before",
    );
  if (attach && volume_lease)
    refuse("--volume-lease is on, and the volume comes only with the lock", "leave --volume-lease out");
  if (!volume_lease && values.lock?.scheme === "file")
    refuse(
      "--volume-lease is off, and a file: lock is one",
      "leave --volume-lease out, or take another lock",
    );
  if (on_outage === "hold" && values.lock?.scheme === "file")
    refuse("--on-outage hold has no meaning for a file: lock, which no server can take away", "leave it out");
  if (on_outage === "hold" && !volume_lease) {
    const [why, remedy] =
      volumes.length === 0
        ? ["there is no volume", "give --volume"]
        : attach
          ? ["an attached volume has none", "leave it out"]
          : ["the volume lease is off", "give --volume-lease on"];
    refuse(`--on-outage hold goes by the volume lease, and ${why}`, remedy);
  }
  return { volumes, volume_lease, on_outage, attach };
}

/** A file: lock requires its volume, and it is the first then: the volume lease is on the first. */
function volumes_of(values: Values, templates: Templates): VolumeRequirement[] {
  const texts = values.volume ?? [];
  const volumes = read_volumes(texts, templates);
  const { lock } = values;
  if (lock?.scheme !== "file") return volumes;
  const own = volumes.find(({ path }) => path === lock.path);
  if (own) return [own, ...volumes.filter((volume) => volume !== own)];
  const text = { where: `--lock ${format_lock_url(lock)}`, path: escape_field(lock.path), fields: [] };
  return read_volumes([text, ...texts], templates);
}
