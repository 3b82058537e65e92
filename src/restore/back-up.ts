// The work of one backup: alone, made, compared with what was restored, and those that are not to be kept any more removed.

import { not_advanced } from "../backup/advance.ts";
import { type Alone, alone } from "../backup/alone.ts";
import { prunable, type Retention } from "../backup/catalogue.ts";
import { run_command } from "../backup/command.ts";
import { make_backup } from "../backup/make.ts";
import { describe } from "../backup/manifest.ts";
import type { Meter } from "../backup/meter.ts";
import type { Store } from "../backup/store.ts";
import { read_marker, read_used } from "./journal.ts";
import { type Place, place_of } from "./place.ts";
import type { BackedUp, BackupRequest, StoreAt } from "./request.ts";
import { make_work } from "./restore.ts";

export type OpenStore = (at: StoreAt) => Promise<Store>;
export type Note = (sentence: string) => void;
export type MakeMeter = (doing: string) => Meter;

export async function back_up(
  request: BackupRequest,
  store: OpenStore,
  note: Note,
  meter: MakeMeter,
): Promise<BackedUp> {
  const place = place_of(request.data);
  make_work(place);
  const made = await alone(place.work, request.wait, (given) =>
    make(request, place, given, store, note, meter),
  );
  return made ?? { did: "nothing" };
}

async function make(
  { data, store: at, node, dump, retention }: BackupRequest,
  { work }: Place,
  { left, makes }: Alone,
  store: OpenStore,
  note: Note,
  meter: MakeMeter,
): Promise<BackedUp> {
  // As whoever started the app on this data wrote down under the lock.
  const { token, volume_id } = read_used(work) ?? { token: null, volume_id: null };
  const run = (folder: string | null, id: string | null): Promise<void> =>
    dump === null
      ? Promise.resolve()
      : run_command(
          "backup",
          dump,
          { BACKUP_SOURCE: data, BACKUP_TARGET: folder, BACKUP_ID: id, TOKEN: token, NODE: node },
          note,
        );
  if (at === null) {
    await run(null, null);
    return { did: "made", manifest: null, pruned: [], not_advanced: null };
  }
  const opened = await store(at);
  for (const { how, id } of opened.list()) if (how === "unfinished" && left.includes(id)) opened.remove(id);
  const manifest = await make_backup(
    opened,
    data,
    { token, node, volume_id },
    dump && run,
    meter("backing up"),
    makes,
  );
  const {
    backup: restored,
    from,
    at: restored_at,
  } = read_marker(work) ?? { backup: null, from: null, at: "" };
  const why = from && not_advanced(manifest, from, restored_at);
  // What was restored stays until something is known to be later.
  const pruned = prune(opened, retention, false, why === null ? null : restored);
  return {
    did: "made",
    manifest,
    pruned,
    not_advanced: why && `${describe(manifest)} is not later than ${restored}: ${why}`,
  };
}

/** spared: not this one, whatever the numbers say. */
export function prune(
  store: Store,
  retention: Retention,
  dry_run: boolean,
  spared: string | null = null,
): string[] {
  const all = prunable(store.list(), retention, Date.now()).map(({ id }) => id);
  const going = all.filter((id) => id !== spared);
  if (!dry_run) for (const id of going) store.remove(id);
  return going;
}
