import type { LockUrl } from "../config/lock-url.ts";
import type { LockRecord } from "../core/record.ts";
import { LockUnknown } from "../errors.ts";
import type { LockOptions } from "../lock/lock.ts";
import { open_lock } from "../lock/open.ts";

/**
 * The record beside the lock, before anything is claimed. null: nobody has ever held it. undefined: that is not known, because
 * no quorum has answered, or because there is no place for a record but the volume itself.
 */
export async function record_beside(
  url: LockUrl,
  options: LockOptions,
): Promise<LockRecord | null | undefined> {
  if (url.scheme === "file" || url.scheme === "memory") return undefined;
  const lock = await open_lock(url, { ...options, on_lost: () => {}, register: false });
  try {
    return (await lock.look()).record;
  } catch (error) {
    if (error instanceof LockUnknown) return undefined;
    throw error;
  } finally {
    await lock.close();
  }
}
