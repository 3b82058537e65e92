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

/** From what is always written to what mostly isn't. */
const levels = ["error", "warn", "info", "debug"] as const satisfies readonly LogLevel[];

export function open_log({ format, level: first_level, base = {}, fd = 2 }: LogOptions): Log {
  let level = first_level;
  const line_of = (name: LogLevel, sentence: string, fields: Fields): string => {
    const time = new Date().toISOString();
    const message = sentence.slice(0, sentence_max);
    return format === "pretty"
      ? pretty(time, name, message, fields)
      : `${JSON.stringify({ level: name, time, ...base, ...fields, message })}\n`;
  };
  const about_dropped = "log lines were dropped, because nobody read them in time";
  const destination = new Destination((count) => line_of("warn", about_dropped, { dropped: count }), fd);
  const write = (name: LogLevel): Write => {
    return (sentence, fields = {}) => {
      if (levels.indexOf(name) <= levels.indexOf(level)) destination.write(line_of(name, sentence, fields));
    };
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
    },
    get dropped() {
      return destination.dropped;
    },
    close: () => destination.close(),
  };
}

/** 2026-01-02T03:04:05.678Z INFO  the sentence key=value … */
function pretty(time: string, level: LogLevel, message: string, fields: Fields): string {
  const texts = Object.entries(fields).map(
    ([name, value]) => ` ${name}=${typeof value === "string" ? escaped(value) : String(value)}`,
  );
  return `${time} ${level.toUpperCase().padEnd(5)} ${escaped(message)}${texts.join("")}\n`;
}
