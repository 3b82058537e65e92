// How far a backup or a restore is.

import { describe_size } from "../config/sizes.ts";
import { ms } from "../core/timing.ts";

export type Progress = {
  /** "backing up", "restoring", "verifying". */
  doing: string;
  bytes: number;
  entries: number;
  /** Of bytes; null: not known. */
  total: number | null;
  elapsed_ms: number;
};

/** Told so often at most; of what takes long less often. */
const every_ms = 500;
const every_part = 1 / 200;

export class Meter {
  readonly #tell: (progress: Progress) => void;
  readonly #doing: string;
  readonly #now_ms: () => number;
  readonly #began_ms: number;
  #told_ms: number;
  #bytes = 0;
  #entries = 0;
  #total: number | null = null;

  constructor(doing: string, tell: (progress: Progress) => void, now_ms = () => performance.now()) {
    this.#doing = doing;
    this.#tell = tell;
    this.#now_ms = now_ms;
    this.#began_ms = now_ms();
    this.#told_ms = this.#began_ms;
  }

  total(bytes: number): void {
    this.#total = bytes;
  }
  add(bytes: number): void {
    this.#bytes += bytes;
    this.#maybe_tell();
  }
  entry(): void {
    this.#entries += 1;
    this.#maybe_tell();
  }
  get elapsed_ms(): number {
    return Math.round(this.#now_ms() - this.#began_ms);
  }

  #maybe_tell(): void {
    const now_ms = this.#now_ms();
    const elapsed_ms = Math.round(now_ms - this.#began_ms);
    if (now_ms - this.#told_ms < Math.max(every_ms, elapsed_ms * every_part)) return;
    this.#told_ms = now_ms;
    this.#tell({
      doing: this.#doing,
      bytes: this.#bytes,
      entries: this.#entries,
      total: this.#total,
      elapsed_ms,
    });
  }
}

const line_every_ms = 5000;

/** A line for logs, every five seconds; of another piece of work it begins anew. */
export class Lines {
  #told_ms = 0;

  /** null: not yet. */
  of(progress: Progress): string | null {
    const { elapsed_ms } = progress;
    if (elapsed_ms < this.#told_ms) this.#told_ms = 0;
    if (elapsed_ms - this.#told_ms < line_every_ms) return null;
    this.#told_ms = elapsed_ms;
    return describe_progress(progress);
  }
}

/** "restoring: 42 %, 4.2 GB of 10 GB, 210 MB/s, 28 s left" */
export function describe_progress({ doing, bytes, total, elapsed_ms }: Progress): string {
  const rate = elapsed_ms > 0 ? (bytes * 1000) / elapsed_ms : 0;
  const speed = rate > 0 ? `, ${describe_size(Math.round(rate))}/s` : "";
  if (total === null || total === 0) return `${doing}: ${describe_size(bytes)}${speed}`;
  const percent = Math.min(100, Math.floor((100 * bytes) / total));
  const left = rate > 0 ? `, ${ms((1000 * Math.max(0, total - bytes)) / rate)} left` : "";
  return `${doing}: ${percent} %, ${describe_size(bytes)} of ${describe_size(total)}${speed}${left}`;
}
