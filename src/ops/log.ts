import { pino } from "pino";
import type { LogFormat, LogLevel } from "../config/load.ts";
import { escaped } from "../config/quoted.ts";
import { Destination } from "./destination.ts";

/** With its fields it fits into a line that a pipe takes whole. */
const sentence_max = 1000;

type Fields = Readonly<Record<string, string | number | boolean | null>>;
type Write = (sentence: string, fields?: Fields) => void;

/** One sentence a line; the fields are for machines. Nothing of it waits for a reader (destination.ts). */
export interface Log extends Readonly<Record<LogLevel, Write>> {
  /** What is less than it is not written. */
  level: LogLevel;
  /** Lines that nobody read in time. */
  readonly dropped: number;
  /** Tells of dropped lines, if it can. */
  close(): void;
}

export type LogOptions = {
  format: LogFormat;
  level: LogLevel;
  /** In every JSON line: the node, the instance. */
  base?: Fields;
  fd?: number;
};

/** What was asked for, or what suits the reader. */
export const format_of = (asked: LogFormat | null, tty: boolean): LogFormat =>
  asked ?? (tty ? "pretty" : "json");

/** pino writes the lines, without a transport: that would be a thread more, and one more that may fall behind. */
export function open_log({ format, level: first_level, base = {}, fd = 2 }: LogOptions): Log {
  let level = first_level;
  const form = format === "pretty" ? pretty : (line: string) => line;
  let last = "";
  const lines = pino(options("warn", base), { write: (line: string) => (last = form(line)) });
  const destination = new Destination((count) => {
    lines.warn({ dropped: count }, "log lines were dropped, because nobody read them in time");
    return last;
  }, fd);
  const logger = pino(options(level, base), { write: (line: string) => destination.write(form(line)) });
  const write = (name: LogLevel): Write => {
    return (sentence, fields = {}) => logger[name]({ ...fields }, "%s", sentence.slice(0, sentence_max));
  };
  return {
    error: write("error"),
    warn: write("warn"),
    info: write("info"),
    debug: write("debug"),
    get level() {
      return level;
    },
    set level(other) {
      level = other;
      logger.level = other;
    },
    get dropped() {
      return destination.dropped;
    },
    close: () => destination.close(),
  };
}

function options(level: LogLevel, base: Fields): object {
  return {
    level,
    base,
    messageKey: "message",
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
}

/** 2026-01-02T03:04:05.678Z INFO  the sentence key=value … */
function pretty(line: string): string {
  const parsed: Record<string, unknown> = JSON.parse(line);
  const { time = "", level = "", message = "", ...fields } = parsed;
  const rest = Object.entries(fields).filter(([name]) => name !== "node" && name !== "instance");
  const texts = rest.map(
    ([name, value]) => ` ${name}=${typeof value === "string" ? escaped(value) : String(value)}`,
  );
  return `${String(time)} ${String(level).toUpperCase().padEnd(5)} ${escaped(String(message))}${texts.join("")}\n`;
}
