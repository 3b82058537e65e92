// What the volumes' checks before the start need of the lock service: the record beside the lock, which names the volume.

import type { LockUrl } from "../config/lock-url.ts";
import type { LockRecord } from "../core/record.ts";
import { LockUnknown, VolumeFailed } from "../errors.ts";
import type { LockOptions } from "../lock/lock.ts";
import { open_lock } from "../lock/open.ts";
import type { Volumes } from "./volumes.ts";

const again_ms = 1000;

/**
 * Checks the volumes before anything is claimed on them. An empty one gets its label only when the lock service has said that nobody
 * ever had a volume; as long as nobody answers, that is waited for. gives_up: whether there is no more time for it.
 */
export async function check_beside(
  volumes: Pick<Volumes, "check">,
  url: LockUrl,
  options: LockOptions,
  gives_up: () => boolean,
): Promise<void> {
  for (let asked = 1; ; asked++) {
    const record = await record_beside(url, options);
    try {
      return await volumes.check(record);
    } catch (error) {
      const label_waits =
        error instanceof VolumeFailed && error.received === "unlabelled" && record === undefined;
      if (!label_waits || !has_record(url) || gives_up()) throw error;
      if (asked === 1)
        options.on_note?.(
          `${error.message}; or it gets one here, when the lock service has said that nobody ever had a volume: ` +
            "it doesn't answer, trying again",
        );
      await new Promise<void>((resolve) => void options.time.after(again_ms, resolve));
    }
  }
}

const has_record = ({ scheme }: LockUrl): boolean => scheme !== "file" && scheme !== "memory";

/** null: nobody has ever held the lock. undefined: no quorum has said, or there is no place for a record but the volume itself. */
async function record_beside(url: LockUrl, options: LockOptions): Promise<LockRecord | null | undefined> {
  if (!has_record(url)) return undefined;
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
