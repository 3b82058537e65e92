/**
 * The port to the volume: the directory .leasehold/ and nothing else of it. The real one asks probes (probe-store.ts), the
 * simulator's is a model. Names are those of format.ts.
 */
export interface VolumeStore {
  /**
   * In order, until one fails: these writes, then a listing of the directory, then a read of each file that was listed. Every
   * file and directory is opened anew. One pass is under way at a time. Throws LockUnknown: any part of the writes may have been
   * done, or be done later, even after a later pass. LockRefused: trying again can't mend it.
   */
  pass(writes: readonly Write[]): Promise<Pass>;
  /** No pass begins after this. */
  close?(): void;
}

export type Write =
  /** With its content at once or not at all, synced; never over what is there. */
  | { do: "create"; name: string; temporary: string; content: Buffer }
  /** Over the file's beginning, in place, synced; created when it is missing. */
  | { do: "write"; name: string; content: Buffer }
  /** No matter whether it is there. */
  | { do: "unlink"; name: string };

/** written_ns: when each write was done. exists: what was to be created is there already; nothing after it was done. */
export type Pass = { written_ns: bigint[]; view: View } | { exists: string };

/** start_ns: CLOCK_BOOTTIME before the listing was begun; end_ns: after the last read. */
export type View = { start_ns: bigint; end_ns: bigint; files: readonly File[] };

/** content: its first 4 KiB, without the zeros at the end. error: why it couldn't be read. */
export type File = { name: string; error: string | undefined; content: Buffer };
