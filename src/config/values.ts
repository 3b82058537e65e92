import { ConfigError } from "../errors.ts";
import { parse_duration } from "./durations.ts";
import { type Endpoint, type LockUrl, parse_endpoint, parse_lock_url } from "./lock-url.ts";
import { nearest } from "./nearest.ts";
import { parse_ready, type ReadyCheck } from "./ready.ts";
import { option, type OptionName, type options } from "./options.ts";
import { quoted } from "./quoted.ts";
import { parse_signal } from "./signals.ts";
import { parse_volume, type VolumeText } from "./volume.ts";

/** The command, ready to be run: a string became sh -c, a list is as it was. */
type Hook = readonly string[];

type OfKind = {
  address: string;
  choice: string;
  duration: number;
  file: string;
  hook: Hook;
  listen: Endpoint;
  lock: LockUrl;
  name: string;
  number: number;
  /** null: none. */
  ready: ReadyCheck | null;
  /** How often at most; Infinity: always. */
  restart: number;
  secret: string;
  signal: number;
  text: string;
  volume: readonly VolumeText[];
};
type OfOption<O extends { kind: keyof OfKind }> = O extends { choices: readonly (infer C)[] }
  ? C
  : OfKind[O["kind"]];

/** What was given, read: durations in ms, signals as numbers. */
export type Values = { -readonly [N in OptionName]?: OfOption<(typeof options)[N]> };

/** As it was given. A list can stand only in the file, or is a flag that was given several times. */
export type Raw = string | readonly string[];

/** Reads one value. where: as the user wrote it, e.g. "--ttl", "LEASEHOLD_TTL". */
export function parse_value<N extends OptionName>(name: N, raw: Raw, where: string): NonNullable<Values[N]>;
export function parse_value(name: OptionName, raw: Raw, where: string): OfKind[keyof OfKind] {
  const { kind, choices = [], min_ms = 0 } = option(name);
  if (kind === "hook") return parse_hook(raw, where);
  if (kind === "volume") return parse_volumes(raw, where);
  if (typeof raw !== "string") throw new ConfigError(`${where} is a list`, raw.join(" "), "give one value");
  if (raw.includes("\0")) throw new ConfigError(`${where} holds a NUL character`, "", "leave it out");
  if (raw.trim() === "") throw new ConfigError(`${where} is empty`, raw, "give a value, or leave it out");
  switch (kind) {
    case "lock":
      return parse_lock_url(raw, where);
    case "ready":
      return parse_ready(raw, where);
    case "restart": {
      const [, most] = /^on-failure(?::([1-9]\d{0,5}))?$/.exec(raw) ?? [];
      if (raw === "never") return 0;
      if (raw.startsWith("on-failure") && (most !== undefined || raw === "on-failure"))
        return most === undefined ? Infinity : Number(most);
      throw new ConfigError(
        `${where} is ${quoted(raw)}`,
        raw,
        "write never, on-failure or e.g. on-failure:5",
      );
    }
    case "signal":
      return parse_signal(raw, where);
    case "duration": {
      const duration_ms = parse_duration(raw, where);
      if (duration_ms >= min_ms) return duration_ms;
      throw new ConfigError(
        `${where} is ${quoted(raw)}, which is too short`,
        raw,
        `give ${min_ms}ms or more`,
      );
    }
    case "choice": {
      if (choices.includes(raw)) return raw;
      const near = nearest(raw, choices);
      throw new ConfigError(
        `${where} is ${quoted(raw)}, which is none of ${choices.join(", ")}`,
        raw,
        near ? `did you mean ${near}?` : `write e.g. ${choices[0]}`,
      );
    }
    case "listen": {
      const endpoint = parse_endpoint(/^\d+$/.test(raw) ? `127.0.0.1:${raw}` : raw, 0);
      const wrong =
        typeof endpoint === "string" ? endpoint : endpoint.port === 0 ? "the port is missing" : undefined;
      if (typeof endpoint !== "string" && wrong === undefined) return endpoint;
      throw new ConfigError(`${where} is ${quoted(raw)}: ${wrong}`, raw, "write e.g. 8080 or 0.0.0.0:8080");
    }
    case "name":
    case "address": {
      if (/^[\x21-\x7e]{1,255}$/.test(raw)) return raw;
      const remedy = "use 1 to 255 letters, digits and signs of ASCII";
      throw new ConfigError(
        `${where} is ${quoted(raw)}, with a blank or foreign character or too long`,
        raw,
        remedy,
      );
    }
    case "number": {
      if (/^\d{1,9}$/.test(raw)) return Number(raw);
      throw new ConfigError(`${where} is ${quoted(raw)}, which is no whole number`, raw, "write e.g. 3");
    }
    case "file":
    case "secret":
    case "text":
      return raw;
  }
}

function parse_volumes(raw: Raw, where: string): VolumeText[] {
  const texts = typeof raw === "string" ? [raw] : raw;
  if (texts.length === 0 || texts.some((text) => text.trim() === "")) {
    throw new ConfigError(`${where} is empty`, "", "give a path, or leave it out");
  }
  return texts.map((text) => parse_volume(text, where));
}

function parse_hook(raw: Raw, where: string): Hook {
  const command = typeof raw === "string" ? ["/bin/sh", "-c", raw] : raw;
  const [program = ""] = command;
  if (program === "" || (typeof raw === "string" && raw.trim() === "")) {
    throw new ConfigError(`${where} is an empty command`, "", "give a command, or leave it out");
  }
  if (command.some((part) => part.includes("\0"))) {
    throw new ConfigError(`${where} holds a NUL character`, "", "leave it out");
  }
  return command;
}
