import { type FSWatcher, watch } from "node:fs";
import type { Time } from "../../core/time.ts";

/** Something may have changed on the volume: a hint, besides a time that is waited for anyhow. */
export interface Changes {
  /** Changes are heard of: there is no need to look often. */
  readonly heard: boolean;
  /** Resolves at a change since the last call, at the latest after most_ms, or at an abort. */
  wait(most_ms: number, abort: AbortSignal): Promise<void>;
  close(): void;
}

/**
 * By inotify, in a directory on a local file system. On a network's it hears nothing of other machines, and the call itself may
 * hang: there only time passes.
 */
export class DirectoryChanges implements Changes {
  readonly #directory: string;
  readonly #time: Time;
  readonly #local: boolean;
  #watcher: FSWatcher | undefined;
  #changed = false;
  #wake: () => void = () => {};

  constructor(directory: string, time: Time, local: boolean) {
    this.#directory = directory;
    this.#time = time;
    this.#local = local;
  }

  get heard(): boolean {
    return this.#watcher !== undefined;
  }

  wait(most_ms: number, abort: AbortSignal): Promise<void> {
    if (this.#local) this.#open();
    return new Promise((resolve) => {
      const end = (): void => {
        take_back();
        abort.removeEventListener("abort", end);
        this.#wake = () => {};
        this.#changed = false;
        resolve();
      };
      const take_back = this.#time.after(most_ms, end);
      abort.addEventListener("abort", end);
      this.#wake = end;
      if (this.#changed || abort.aborted) end();
    });
  }

  close(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #open(): void {
    if (this.#watcher) return;
    try {
      // Kept alive by whoever waits, not by the watch.
      this.#watcher = watch(this.#directory, { persistent: false }, () => {
        this.#changed = true;
        this.#wake();
      });
      this.#watcher.on("error", () => this.close());
    } catch {
      // No more watches are to be had, or the directory isn't there.
    }
  }
}
