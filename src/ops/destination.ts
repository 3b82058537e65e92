import { closeSync, constants, fstatSync, openSync, writeSync } from "node:fs";

/** A line of this length or less is written to a pipe whole or not at all (PIPE_BUF). */
export const line_max_bytes = 4096;

/** How often it is tried to tell of dropped lines when no new line comes. */
const retry_ms = 1000;

/**
 * Where log lines go: descriptor 2, the guard's log pipe. A write never waits: the pipe is opened anew without blocking,
 * because the flags of descriptor 2 itself are shared with the guard. A line that doesn't fit is dropped and counted, and
 * the count is told by the next line that fits.
 */
export class Destination {
  dropped = 0;
  readonly #fd: number;
  readonly #own: boolean;
  readonly #about_dropped: (count: number) => string;
  #untold = 0;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;

  /** about_dropped: the line that tells of them, with its line end. */
  constructor(about_dropped: (count: number) => string, fd = 2) {
    this.#about_dropped = about_dropped;
    const pipe = fstatSync(fd).isFIFO();
    // A file or a terminal has a position or a mode of its own; outside of the guard that is what a user looks at.
    this.#fd = pipe ? openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK) : fd;
    this.#own = pipe;
  }

  write(line: string): void {
    if (this.#untold > 0 && this.#put(this.#about_dropped(this.#untold))) this.#untold = 0;
    if (this.#untold === 0 && this.#put(line)) return;
    this.dropped++;
    this.#untold++;
    if (this.#closed) return;
    this.#timer ??= setInterval(() => this.#tell(), retry_ms).unref();
  }

  /** What is written afterwards is dropped: the descriptor's number may be another's by then. */
  close(): void {
    if (this.#closed) return;
    this.#tell();
    this.#closed = true;
    clearInterval(this.#timer);
    if (this.#own) closeSync(this.#fd);
  }

  #tell(): void {
    if (this.#untold > 0 && !this.#put(this.#about_dropped(this.#untold))) return;
    this.#untold = 0;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** False: nobody reads it, now (EAGAIN) or ever (EPIPE). A log that fails is never a reason to stop. */
  #put(line: string): boolean {
    if (this.#closed) return false;
    try {
      writeSync(this.#fd, fitted(line));
      return true;
    } catch {
      return false;
    }
  }
}

/** The line cut to what a pipe takes whole, at a character's border. */
function fitted(line: string): Buffer {
  const bytes = Buffer.from(line);
  if (bytes.length <= line_max_bytes) return bytes;
  let end = line_max_bytes - 4;
  // 10xxxxxx is the inside of a character.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return Buffer.concat([bytes.subarray(0, end), Buffer.from("…\n")]);
}
