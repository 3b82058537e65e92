// Whether a backup is later than the one that was restored: an app that goes on elsewhere, a dump of an old file and a clock that was
// set back make backups that look as good as any. Pure.

import type { Manifest } from "./manifest.ts";

/** What is remembered of the backup that was restored last. */
export type RestoredFrom = Pick<Manifest, "sequence" | "created" | "token" | "sha256">;

/** null: it is. Else why not, as the end of a sentence. restored_at: by the clock of the machine that did. */
export function not_advanced(made: Manifest, from: RestoredFrom, restored_at: string): string | null {
  if (made.sha256 === from.sha256)
    return "it holds just what was restored; see that the app writes into --data, and what --backup-with reads";
  // Equal where it was restored in the tenure that had made it.
  if (made.token !== null && from.token !== null && BigInt(made.token) < BigInt(from.token))
    return `its token ${made.token} is before ${from.token}; the lock is another one, see --lock`;
  if (made.sequence <= from.sequence)
    return `its number ${made.sequence} is not after ${from.sequence}; the store is another one, see --backup-store`;
  const after = Math.max(Date.parse(from.created), Date.parse(restored_at) || 0);
  if (Date.parse(made.created) < after)
    return `it is of ${made.created}, before ${new Date(after).toISOString()}; set the clock right`;
  return null;
}
