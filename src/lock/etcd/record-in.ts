import type { LockRecord } from "../../core/record.ts";
import { parse_record } from "../records.ts";
import type { KeyValue } from "./api.ts";

/**
 * The token is the lock key's create revision, which nobody knows before. What the take-over writes has it by its place: the
 * lock key's own, and the record's mod revision, which is of the same transaction.
 */
export function record_in({ key, value, create_revision, mod_revision }: KeyValue): LockRecord {
  const record = parse_record(value, key);
  const token = key.endsWith("/lock") ? create_revision : mod_revision;
  return record.claim === "" ? { ...record, claim: String(token) } : record;
}
