import { constants, hostname } from "node:os";
import { check, derive, type Timing } from "../core/timing.ts";
import { ConfigError, UsageError } from "../errors.ts";
import { type Credentials, read_credentials } from "./credentials.ts";
import { type Environment, read_environment } from "./environment.ts";
import type { Endpoint, LockUrl } from "./lock-url.ts";
import { option_names, type OptionName } from "./options.ts";
import { parse_value, type Raw, type Values } from "./values.ts";

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
  when_busy: "wait" | "exit";
  wait_timeout_ms: number | null;
  on_loss: "exit" | "standby";
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

export type Config = Settings & { lock: LockUrl; credentials: Credentials };

/** What the command line gave, by option name. */
export type Flags = Partial<Record<OptionName, string>>;

/** Everything that has to be right before anything starts: all values, their sums, the credentials' files. */
export async function load_config(flags: Flags, environment: Environment): Promise<Config> {
  const settings = await load_settings(flags, environment);
  const [wrong] = check(settings.timing);
  if (wrong !== undefined) throw too_short(wrong, settings.timing);
  const { lock } = settings.given.values;
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
  return { ...settle(values), sources, given: { raw, values }, warnings: from_environment.warnings };
}

/** The defaults, those that follow from other values included. */
function settle(values: Values): Omit<Settings, "sources" | "given" | "warnings"> {
  const ttl_ms = values.ttl ?? 30_000;
  return {
    node: values.node ?? parse_value("node", hostname(), "the hostname, which is --node by default,"),
    advertise: values.advertise ?? null,
    timing: {
      ttl_ms,
      loss_grace_ms: values["loss-grace"] ?? Math.min(ttl_ms / 5, 5000),
      drain_ms: values.drain ?? 0,
      margin_ms: values.margin ?? Math.max(500, ttl_ms / 20),
      ...derive(ttl_ms),
      stop_timeout_ms: values["stop-timeout"] ?? 20_000,
    },
    stop_signal: values["stop-signal"] ?? constants.signals.SIGTERM,
    stop_scope: values["stop-scope"] ?? "main",
    when_busy: values["when-busy"] ?? "wait",
    wait_timeout_ms: values["wait-timeout"] ?? null,
    on_loss: values["on-loss"] ?? "exit",
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
