// The output of a step as lines for the log, while it runs: bounded, and progress as a line from time to time.

import { ms_between } from "../core/time.ts";

/** Of one step; of more only the last reaches a failure's sentence. */
const lines_max = 50;
const progress_ms = 10_000;

/** e2fsck -C 1 writes "PASS DONE ALL DEVICE", a line for each step, and passes are up to 5. */
const progress = /^([1-5]) (\d+) (\d+) (\S+)$/;

export class Lines {
  readonly #tell: (line: string) => void;
  readonly #now_ns: () => bigint;
  #rest = "";
  #told = 0;
  #progress_ns: bigint;
  /** The newest that is no progress. */
  last: string | undefined;

  constructor(tell: (line: string) => void, now_ns: () => bigint) {
    this.#tell = tell;
    this.#now_ns = now_ns;
    this.#progress_ns = now_ns();
  }

  push(chunk: Buffer): void {
    const lines = (this.#rest + chunk.toString()).split(/[\r\n]+/);
    this.#rest = (lines.pop() ?? "").slice(-1000);
    for (const line of lines) this.#line(line);
  }

  end(): void {
    this.#line(this.#rest);
    this.#rest = "";
  }

  #line(line: string): void {
    const [, pass, part, whole, device] = progress.exec(line) ?? [];
    if (pass !== undefined) {
      const now_ns = this.#now_ns();
      if (ms_between(this.#progress_ns, now_ns) < progress_ms) return;
      this.#progress_ns = now_ns;
      this.#tell(
        `pass ${pass} of 5: ${Math.floor((100 * Number(part)) / Math.max(1, Number(whole)))} % of ${device}`,
      );
      return;
    }
    if (line.trim() === "") return;
    this.last = line;
    if (++this.#told <= lines_max) this.#tell(line);
  }
}
