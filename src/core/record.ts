/**
 * The record beside the lock, persistent: who had it last, and how that ended. Written in the take-over and in the release,
 * each time in the lock service's own transaction. Unless it says `clean`, whoever takes over has to fence first.
 */
export type LockRecord = {
  format: number;
  /** The fencing token of the tenure, a decimal number of 64 bits. Empty while it is running and not known yet. */
  claim: string;
  /** The holder's name (--node). */
  holder: string;
  /** Of this run of leasehold; a fresh uuid. */
  instance: string;
  /** /proc/sys/kernel/random/boot_id: the same as ours means that the holder was on this very machine. */
  boot_id: string;
  /** --advertise. */
  address: string | null;
  state: "running" | "clean" | "unclean";
  volume_id: string | null;
  /** How long a proof of it counts at most. */
  ttl_ms: number;
  /** For people; never compared. */
  since: string;
};

export const record_format = 1;

/** Who we are, for the record. */
export type Identity = Pick<LockRecord, "holder" | "instance" | "boot_id" | "address" | "volume_id">;
