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
  /** How often the app has failed, one time after the other, whoever ran it; written in the release. */
  failures: number;
};

export const record_format = 1;

/** Who we are, for the record. */
export type Identity = Pick<LockRecord, "holder" | "instance" | "boot_id" | "address" | "volume_id">;

/** Of what others wrote: the record in this format, its own fields only; null: it is none. */
export function read_record(value: Readonly<Record<string, unknown>>): LockRecord | null {
  const { format, claim, holder, instance, boot_id, address, state, volume_id, ttl_ms, since } = value;
  const failures = Number.isSafeInteger(value.failures) ? Math.max(0, Number(value.failures)) : 0;
  if (format !== record_format || typeof ttl_ms !== "number" || !(ttl_ms >= 0)) return null;
  if (typeof claim !== "string" || typeof holder !== "string" || typeof instance !== "string") return null;
  if (typeof boot_id !== "string" || typeof since !== "string") return null;
  if (!is_text_or_null(address) || !is_text_or_null(volume_id)) return null;
  if (state !== "running" && state !== "clean" && state !== "unclean") return null;
  return { format, claim, holder, instance, boot_id, address, state, volume_id, ttl_ms, since, failures };
}

function is_text_or_null(value: unknown): value is string | null {
  return value === null || typeof value === "string";
}
