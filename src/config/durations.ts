import { ConfigError } from "../errors.ts";
import { quoted } from "./quoted.ts";

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** The longest that a timer of the controller can wait (2^31 − 1 ms); a longer one would fire at once. */
export const duration_max_ms = 2 ** 31 - 1;

/**
 * "30s", "1.5s", "250ms", "2m", "1h" or "0", in ms. A unit is needed: 30 means seconds to one reader and milliseconds
 * to the next. where: whose value it is, as the user wrote it ("--ttl").
 */
export function parse_duration(text: string, where: string): number {
  const refuse = (what: string, remedy = "write e.g. 30s, 1.5s, 250ms, 2m or 1h"): never => {
    throw new ConfigError(`${where} is ${what}`, text, remedy);
  };
  if (text.trim() === "") return refuse("empty");
  if (text === "0") return 0;
  if (text.startsWith("-")) return refuse(`${quoted(text)}, which is negative`);
  if (/^[\d.]+$/.test(text)) return refuse(`${quoted(text)}, without a unit`, `write e.g. ${text}s`);
  const parts = /^(\d{1,15}(?:\.\d{1,9})?)(ms|s|m|h)$/.exec(text);
  if (!parts) return refuse(`${quoted(text)}, which is no duration`);
  const [, number = "", unit = ""] = parts;
  const duration_ms = Number(number) * (units[unit] ?? NaN);
  if (duration_ms > duration_max_ms)
    return refuse(`${quoted(text)}, which is more than 24 days`, "shorten it");
  const whole_ms = Math.round(duration_ms);
  // 0.1 s is not exact in binary; what is finer than a millisecond was written so.
  if (Math.abs(whole_ms - duration_ms) > 1e-6) return refuse(`${quoted(text)}, which is finer than 1ms`);
  return whole_ms;
}

/** 90000 → "90s", 250 → "250ms", 1500 → "1500ms": exact, and parse_duration reads it. */
export function format_duration(duration_ms: number): string {
  return duration_ms % 1000 === 0 ? `${duration_ms / 1000}s` : `${duration_ms}ms`;
}
