import { Option } from "commander";
import { quoted } from "../config/quoted.ts";
import { UsageError } from "../errors.ts";

/** `--format` of a command that prints; the first is the default. */
export function format_option(formats: readonly string[]): Option {
  const [first = ""] = formats;
  return new Option("--format <FORMAT>", `${formats.join(", ")} (${first})`).argParser((text: string) => {
    if (formats.includes(text)) return text;
    const what = `--format is ${quoted(text)}, which is none of ${formats.join(", ")}`;
    throw new UsageError(what, text, `write e.g. --format ${first}`);
  });
}
