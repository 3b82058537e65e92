import { ConfigError } from "../errors.ts";
import { quoted } from "./quoted.ts";

const units: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** "500MB", "1.5GiB" or "0", in bytes. A unit is needed, and M alone is none: it is a million to one reader and 2^20 to the next. */
export function parse_size(text: string, where: string): number {
  const refuse = (what: string, remedy = "write e.g. 500MB, 10GiB or 1.5TB"): never => {
    throw new ConfigError(`${where} is ${what}`, text, remedy);
  };
  if (text === "0") return 0;
  if (text.startsWith("-")) return refuse(`${quoted(text)}, which is negative`);
  if (/^[\d.]+$/.test(text)) return refuse(`${quoted(text)}, without a unit`, `write e.g. ${text}MB`);
  const [, number = "", unit = ""] = /^(\d{1,16}(?:\.\d{1,9})?)([A-Za-z]{1,3})$/.exec(text) ?? [];
  const known = Object.keys(units).find((name) => name.toLowerCase() === unit.toLowerCase());
  if (known === undefined) {
    const letter = Object.keys(units).find((name) => name.length === 2 && name[0] === unit.toUpperCase());
    return letter === undefined
      ? refuse(`${quoted(text)}, which is no size`)
      : refuse(`${quoted(text)}, which is no size`, `did you mean ${number}${letter}?`);
  }
  const bytes = Math.round(Number(number) * (units[known] ?? NaN));
  return Number.isSafeInteger(bytes)
    ? bytes
    : refuse(`${quoted(text)}, which is more than 8 PiB`, "lessen it");
}

/** 1500000000 → "1500MB", 2 ** 30 → "1GiB": exact, and parse_size reads it. */
export function format_size(bytes: number): string {
  const [unit = "B", factor = 1] =
    Object.entries(units)
      .toSorted(([, a], [, b]) => b - a)
      .find(([, size]) => bytes % size === 0) ?? [];
  return bytes === 0 ? "0" : `${bytes / factor}${unit}`;
}

/** For a sentence, in three digits: 1234567890 → "1.23 GB". */
export function describe_size(bytes: number): string {
  const unit = ["TB", "GB", "MB", "kB"].find((name) => bytes >= (units[name] ?? NaN));
  return unit === undefined
    ? `${bytes} B`
    : `${Number((bytes / (units[unit] ?? NaN)).toPrecision(3))} ${unit}`;
}
