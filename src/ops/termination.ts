import { closeSync, constants, openSync, writeSync } from "node:fs";
import { errno } from "../config/errno.ts";
import { quoted } from "../config/quoted.ts";

/** Why leasehold ended, for whoever looks at the dead container. */
export type Termination = {
  /** The exit code. */
  code: number;
  because: string;
  /** For people (ISO 8601). */
  at: string;
  node: string;
  instance: string;
  lock: string;
  /** Of the last tenure, decimal; null: there was none. */
  token: string | null;
  /** From the last proof's begin to the end; null: there was none. */
  last_proof_ms_ago: number | null;
};

/** Kubernetes reads no more. */
const max_bytes = 4096;

/** One line of JSON that fits: a long sentence is cut. */
export function termination_record(termination: Termination): string {
  const whole = `${JSON.stringify(termination)}\n`;
  if (Buffer.byteLength(whole) <= max_bytes) return whole;
  const cut = (text: string, length: number): string =>
    text.length > length ? `${text.slice(0, length)}…` : text;
  // A character takes at most 6 bytes of JSON (\u0000).
  const { because, lock, ...rest } = termination;
  return `${JSON.stringify({ ...rest, because: cut(because, 300), lock: cut(lock, 100) })}\n`;
}

/** Writes it; never throws and never waits for a pipe's reader. A sentence says what went wrong, for the log. */
export function write_termination(path: string, termination: Termination): string | undefined {
  try {
    const { O_WRONLY, O_CREAT, O_TRUNC, O_NONBLOCK, O_NOCTTY } = constants;
    const fd = openSync(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_NOCTTY, 0o644);
    try {
      writeSync(fd, termination_record(termination));
    } finally {
      closeSync(fd);
    }
    return undefined;
  } catch (error) {
    return `the termination record could not be written to ${quoted(path)} (${errno(error)})`;
  }
}
