import { constants } from "node:os";
import { ConfigError } from "../errors.ts";
import { nearest } from "./nearest.ts";
import { quoted } from "./quoted.ts";

const numbers: Readonly<Record<string, number>> = constants.signals;

/** glibc's and Docker's SIGRTMIN. */
const rtmin = 34;
const max = 64;

/** "SIGTERM", "term", "15" or "SIGRTMIN+3" (systemd's way to stop), as a number. */
export function parse_signal(text: string, where: string): number {
  const refuse = (what: string, remedy: string): never => {
    throw new ConfigError(`${where} is ${what}`, text, remedy);
  };
  if (text.trim() === "") return refuse("empty", "write e.g. SIGTERM");
  const name = `SIG${text.toUpperCase().replace(/^SIG/, "")}`;
  const [, real_time] = /^SIGRTMIN(?:\+(\d{1,2}))?$/.exec(name) ?? [];
  const number = /^\d+$/.test(text)
    ? Number(text)
    : name.startsWith("SIGRTMIN")
      ? rtmin + Number(real_time ?? (name === "SIGRTMIN" ? 0 : NaN))
      : (numbers[name] ?? NaN);
  if (!(number >= 1 && number <= max)) {
    const near = nearest(name, Object.keys(numbers));
    return refuse(
      `${quoted(text)}, which is no signal`,
      near ? `did you mean ${near}?` : "write e.g. SIGTERM",
    );
  }
  if (number === constants.signals.SIGKILL || number === constants.signals.SIGSTOP) {
    return refuse(
      `${format_signal(number)}, which stops nothing gracefully`,
      "to kill at once give --stop-timeout 0",
    );
  }
  return number;
}

export function format_signal(number: number): string {
  const name = Object.keys(numbers).find((known) => numbers[known] === number);
  return (
    name ?? (number >= rtmin ? `SIGRTMIN${number === rtmin ? "" : `+${number - rtmin}`}` : String(number))
  );
}
