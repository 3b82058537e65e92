// The new data takes the place of the old. Every step is on disk before the next, may be done again, and none deletes anything that
// is the only copy: a restore that was cut off is finished by whoever comes next, from where it was.

import {
  chmodSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { quoted } from "../config/quoted.ts";
import { sync_folder } from "../backup/store.ts";
import {
  end_journal,
  type Journal,
  read_used,
  Unreadable,
  write_journal,
  write_marker,
  write_used,
} from "./journal.ts";
import { entries_of, type Place, state_of } from "./place.ts";

/** Told at each step that a crash may follow. */
export type AtStep = (step: string) => void;

export function staging_of({ work }: Place): string {
  return join(work, "staging");
}

export function previous_of({ work }: Place): string {
  return join(work, "previous");
}

/** From "staged" on to the end; also when it was begun before. */
export function finish(place: Place, journal: Journal, at: AtStep): void {
  let { step } = journal;
  const reach = (next: Journal["step"]): void => {
    at(`before ${next}`);
    write_journal(place.work, { ...journal, step: next });
    step = next;
    at(next);
  };
  if (step === "staged") {
    if (place.how === "rename") {
      exchange_whole(place, journal.attempt, at);
      reach("exchanged");
    } else {
      move_out(place, journal.attempt, at);
      reach("moving-in");
    }
  }
  if (step === "moving-in") {
    move_in(place, at);
    reach("exchanged");
  }
  // Whoever restored knew of no later backup.
  const { token } = journal.marker;
  if (token !== null) write_used(place.work, { token, volume_id: read_used(place.work)?.volume_id ?? null });
  write_marker(place.work, journal.marker);
  at("marked");
  rmSync(staging_of(place), { recursive: true, force: true }); // empty, where entries were moved
  end_journal(place.work);
  at("done");
}

function exchange_whole(place: Place, attempt: string, at: AtStep): void {
  const { data, work } = place;
  const staging = staging_of(place);
  if (!is_there(staging)) return; // it is in its place already
  const aside = join(previous_of(place), attempt);
  const state = state_of(data);
  if (state === "foreign") throw in_the_way(data);
  if (state !== "absent") {
    if (!is_there(aside)) {
      mkdirSync(previous_of(place), { recursive: true, mode: 0o700 });
      sync_folder(work);
      at("previous is there");
      renameSync(data, aside);
      sync_folder(previous_of(place));
      sync_folder(dirname(data));
      at("the old data is aside");
    } else if (state === "empty") rmdirSync(data); // somebody has made it anew meanwhile
    else throw in_the_way(data);
  }
  renameSync(staging, data);
  sync_folder(dirname(data));
  sync_folder(work);
  at("the new data is there");
}

function move_out(place: Place, attempt: string, at: AtStep): void {
  const { data } = place;
  const aside = join(previous_of(place), attempt);
  mkdirSync(aside, { recursive: true, mode: 0o700 });
  sync_folder(previous_of(place));
  sync_folder(place.work);
  at("previous is there");
  for (const name of entries_of(data)) {
    renameSync(join(data, name), join(aside, name));
    at(`${name} is aside`);
  }
  sync_folder(aside);
  sync_folder(data);
}

function move_in(place: Place, at: AtStep): void {
  const { data } = place;
  const staging = staging_of(place);
  const names = readdirSync(staging);
  for (const name of names) {
    const to = join(data, name);
    if (lstatSync(to, { throwIfNoEntry: false })) throw in_the_way(to);
    renameSync(join(staging, name), to);
    at(`${name} is in its place`);
  }
  sync_folder(data);
  sync_folder(staging);
  // The directory's own owner and mode are part of what was restored.
  const { uid, gid, mode } = lstatSync(staging);
  if (process.geteuid?.() === 0) lchownSync(data, uid, gid);
  chmodSync(data, mode & 0o7777);
  sync_folder(data);
}

/** What can't be looked at isn't "not there": it throws. */
function is_there(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function in_the_way(path: string): Unreadable {
  return new Unreadable(
    `a restore was cut off, and ${quoted(path)} was put there since; move it away, the next start goes on with the restore`,
  );
}

/** What was staged and isn't whole. */
export function drop_staging(place: Place): void {
  rmSync(staging_of(place), { recursive: true, force: true });
  if (is_there(place.work)) end_journal(place.work);
}

/** The data from before restores, all of it: for when the app has run on what was restored. */
export function sweep(place: Place): boolean {
  const previous = previous_of(place);
  if (!is_there(previous)) return false;
  rmSync(previous, { recursive: true });
  sync_folder(place.work);
  return true;
}
