import { ConfigError } from "../errors.ts";
import { quoted } from "./quoted.ts";

const pattern = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?)(Z|[+-]\d\d:\d\d)?$/i;

/** A point in time as people and logs write it (RFC 3339), in ms since 1970. Its zone has to be given: a node's own may be any. */
export function parse_instant(text: string, where: string): number {
  const wrong = (why: string): ConfigError =>
    new ConfigError(`${where} is ${quoted(text)}, ${why}`, text, "write e.g. 2026-11-25T03:00:00Z");
  const [, date, time, zone] = pattern.exec(text) ?? [];
  if (date === undefined || time === undefined) throw wrong("which is no point in time");
  if (zone === undefined) throw wrong("which has no time zone");
  const local = new Date(`${date}T${time}Z`);
  // The 30th of February would be taken for the 2nd of March.
  const exists = !Number.isNaN(local.getTime()) && local.toISOString().startsWith(`${date}T${time}`);
  const instant_ms = Date.parse(`${date}T${time}${zone.toUpperCase()}`);
  if (!exists || Number.isNaN(instant_ms)) throw wrong("which is in no calendar");
  return instant_ms;
}

/**
 * As commands get it: in UTC, with a zone in digits. PostgreSQL refuses a Z in recovery_target_time (as 15 is: it knows no names of
 * zones yet when it reads its settings), and pgBackRest a T.
 */
export function format_instant(instant_ms: number): string {
  return new Date(instant_ms).toISOString().replace("T", " ").replace("Z", "+00:00");
}
