import { release_file, type ReleaseRecord as VolumeRecord } from "../file/release.ts";
import { release_lock } from "../open.ts";

/** What the release program gets. lock: the lock's own release record, JSON. */
export type ReleaseRecord = { kind: "witnessed"; volume: VolumeRecord; lock: string };

/** R7: `released` on the volume first. If that can't be written the lock is kept, and ends by itself. */
export async function release_witnessed(record_json: string): Promise<void> {
  const { volume, lock }: ReleaseRecord = JSON.parse(record_json);
  await release_file(JSON.stringify(volume));
  await release_lock(lock);
}
