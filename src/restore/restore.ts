// One restore from its beginning to its end, or what is left of one. Runs in a job under the lock: whoever loses that is killed with
// it, at any step, and the next one goes on from there.

import { chmodSync, lchownSync, lstatSync, mkdirSync, readdirSync, rmSync, statfsSync } from "node:fs";
import { dirname, join } from "node:path";
import { quoted } from "../config/quoted.ts";
import { describe_size } from "../config/sizes.ts";
import { fresh_uuid } from "../guard/kernel.ts";
import type { Backup } from "../backup/catalogue.ts";
import { describe, type Manifest } from "../backup/manifest.ts";
import type { Meter } from "../backup/meter.ts";
import { type Store, sync_folder } from "../backup/store.ts";
import { BadArchive, unpack } from "../backup/unpack.ts";
import { type AtStep, drop_staging, finish, staging_of } from "./exchange.ts";
import {
  read_journal,
  read_marker,
  read_used,
  Unreadable,
  write_journal,
  write_marker,
  write_used,
} from "./journal.ts";
import { hindrance_of, type Place, place_of, state_of } from "./place.ts";
import { decide, type Decision, type Facts, is_due, type Marker, type Policy } from "./plan.ts";

/** It can't be done: one sentence that ends with the remedy. */
export class NoRestore extends Error {}

export type RestoreOptions = {
  data: string;
  policy: Policy;
  first_boot: boolean;
  token: string | null;
  node: string;
  /** Of the volume that the data lies on. */
  volume_id: string | null;
  /** The built-in store, once it was found to be the right one and to work; null: there is none. */
  open_store: () => Promise<Store | null>;
  /**
   * The user's command, which fills `to`. from: what was unpacked of the backup; null without a built-in store. It throws when the
   * command fails. null: what is unpacked is the data.
   */
  load: ((to: string, from: string | null, id: string | null) => Promise<void>) | null;
  /** The user's command, which looks at what was restored before it counts. */
  check: ((folder: string, id: string | null) => Promise<void>) | null;
  /** All that was written there is on the storage. */
  flush: (folder: string) => void;
  meter: (doing: string) => Meter;
  note: (sentence: string) => void;
  at: AtStep;
};

export type Restored = {
  /** nothing: the data is as it was. */
  did: "nothing" | "start-empty" | "restored" | "resumed";
  because: string;
  backup: string | null;
};

/** Facts and the decision, nothing is touched. */
export async function plan(options: RestoreOptions): Promise<{
  place: Place;
  decision: Decision;
  backups: readonly Backup[] | null;
  unfinished: string | null;
}> {
  const { data, policy } = options;
  const place = place_of(data);
  const facts = facts_of(place, options);
  const journal = read_journal(place.work);
  const store = is_due(policy.when, facts) === "no" ? null : await options.open_store();
  const backups = store?.list() ?? null;
  const unfinished =
    journal === null || journal.step === "staging"
      ? null
      : `a restore of ${journal.marker.backup ?? "a backup"} was cut off and is finished first`;
  const decision = decide(policy, facts, backups);
  const hindrance = decision.do === "restore" ? hindrance_of(place) : null;
  const refusal = hindrance === null ? null : ({ do: "refuse", because: hindrance } as const);
  return { place, decision: refusal ?? decision, backups, unfinished };
}

function facts_of({ data, work }: Place, { first_boot, volume_id }: RestoreOptions): Facts {
  return {
    ...{ path: data, data: state_of(data), first_boot, volume_id },
    marker: read_marker(work),
    used_token: read_used(work)?.token ?? null,
  };
}

/** Before the app starts: goes on with what was cut off, then does what is to be done. */
export async function restore(options: RestoreOptions): Promise<Restored> {
  const { data, token, note, at } = options;
  let place = place_of(data);
  const journal = read_journal(place.work);
  let resumed: Restored | null = null;
  if (journal?.step === "staging") {
    note("a restore was cut off while it was staged: it is begun anew, the data was not touched");
    drop_staging(place);
  } else if (journal) {
    finish(place, journal, at);
    const { backup } = journal.marker;
    resumed = {
      did: "resumed",
      because: `finished the restore of ${backup ?? "the data"} that was cut off`,
      backup,
    };
    note(resumed.because);
  }
  place = place_of(data);
  const { when } = options.policy;
  // What a time was asked for is not in the journal: then it is done anew.
  const is_done =
    resumed !== null &&
    when.kind === "now" &&
    when.target_ms === null &&
    (when.id ?? resumed.backup) === resumed.backup;
  const { decision } = is_done ? { decision: { do: "nothing", because: "" } as const } : await plan(options);
  let result: Restored;
  switch (decision.do) {
    case "refuse":
      throw new NoRestore(decision.because);
    case "nothing":
      result = resumed ?? { did: "nothing", because: decision.because, backup: null };
      break;
    case "start-empty":
      result = { did: "start-empty", because: decision.because, backup: null };
      make_work(place);
      write_marker(place.work, marker_of(options, place, null));
      break;
    case "restore": {
      note(decision.because);
      const backup = await bring(options, place, decision.ids);
      result = { did: "restored", because: `restored ${backup ?? "the data"}`, backup };
      break;
    }
  }
  if (token !== null) {
    make_work(place);
    write_used(place.work, { token, volume_id: options.volume_id });
  }
  return result;
}

async function bring(options: RestoreOptions, place: Place, ids: readonly string[]): Promise<string | null> {
  const store = ids.length > 0 ? await options.open_store() : null;
  let failure: BadArchive | null = null;
  for (const id of ids.length > 0 ? ids : [null]) {
    const backup = id === null || store === null ? null : store.look(id);
    if (backup && backup.how !== "whole")
      throw new NoRestore(`the backup ${id} is not whole any more; try again`);
    try {
      await stage(options, place, store, backup?.manifest ?? null);
    } catch (error) {
      drop_staging(place);
      rmSync(source_of(place), { recursive: true, force: true });
      if (!(error instanceof BadArchive)) throw told(error, place);
      failure = error;
      options.note(`the backup ${id} can't be used: ${error.message}`);
      continue;
    }
    const marker = marker_of(options, place, backup?.manifest ?? null);
    const journal = { step: "staged", attempt: fresh_uuid(), marker } as const;
    options.at("before staged");
    write_journal(place.work, journal);
    options.at("staged");
    finish(place, journal, options.at);
    return id;
  }
  const more =
    ids.length > 1
      ? `none of ${ids.length} backups can be used, the last one: `
      : `the backup ${ids[0]} can't be used: `;
  throw new NoRestore(
    `${more}${failure?.message ?? ""}; name another one by leasehold restore --backup, or allow more by --restore-fallback`,
  );
}

/** Fills staging/ and flushes it. The data is not touched. */
async function stage(
  options: RestoreOptions,
  place: Place,
  store: Store | null,
  manifest: Manifest | null,
): Promise<void> {
  const { load, check, flush, at, meter } = options;
  const id = manifest?.id ?? null;
  make_work(place);
  drop_staging(place);
  rmSync(source_of(place), { recursive: true, force: true });
  write_journal(place.work, {
    step: "staging",
    attempt: fresh_uuid(),
    marker: marker_of(options, place, manifest),
  });
  at("staging");
  const staging = staging_of(place);
  mkdirSync(staging, { mode: 0o700 });
  as_the_old_one(place, staging);
  if (store && manifest) {
    room_for(place, manifest);
    const into = load ? source_of(place) : staging;
    if (load) mkdirSync(into, { mode: 0o700 });
    await unpack(store.archive(manifest.id), manifest, into, meter("restoring"));
  }
  at("unpacked");
  await load?.(staging, store ? source_of(place) : null, id);
  rmSync(source_of(place), { recursive: true, force: true });
  if (readdirSync(staging).length === 0)
    throw load
      ? new NoRestore(
          "the restore command ended well, but has put nothing into LEASEHOLD_RESTORE_TARGET; see what it did",
        )
      : new BadArchive("there is nothing in it");
  await check?.(staging, id);
  at("checked");
  flush(staging);
  sync_folder(staging);
}

function source_of({ work }: Place): string {
  return join(work, "source");
}

/** The app's user has to get through to what a command makes there as that user. What lies in it has modes of its own. */
export function make_work({ work }: Place): void {
  if (mkdirSync(work, { recursive: true, mode: 0o711 }) !== undefined) sync_folder(dirname(work));
}

/** What a command makes has the owner and mode that the data directory had. */
function as_the_old_one({ data }: Place, staging: string): void {
  const old = lstatSync(data, { throwIfNoEntry: false });
  if (old?.isDirectory() !== true) return;
  if (process.geteuid?.() === 0) lchownSync(staging, old.uid, old.gid);
  chmodSync(staging, old.mode & 0o7777);
}

function room_for(place: Place, manifest: Manifest): void {
  const { bavail, bsize, ffree, files } = statfsSync(place.work);
  const needed = manifest.bytes + manifest.entries * bsize;
  const free = bavail * bsize;
  if (needed > free)
    throw new NoRestore(
      `${describe(manifest)} needs ${describe_size(needed)}, and where ${quoted(place.data)} is only ${describe_size(free)} are ` +
        "left; make room there, the data from before included",
    );
  if (files > 0 && manifest.entries > ffree)
    throw new NoRestore(
      `${describe(manifest)} has ${manifest.entries} files, and where ${quoted(place.data)} is only ${ffree} more can be made; make room there`,
    );
}

function marker_of({ token, node }: RestoreOptions, { work }: Place, manifest: Manifest | null): Marker {
  const before = read_marker(work)?.restored ?? [];
  const backup = manifest?.id ?? null;
  const restored = backup === null ? before : [...before.filter((id) => id !== backup), backup];
  const from = manifest && {
    ...{ sequence: manifest.sequence, created: manifest.created, token: manifest.token },
    sha256: manifest.sha256,
  };
  return { backup, from, restored: restored.slice(-100), token, node, at: new Date().toISOString() };
}

function told(error: unknown, { data, work }: Place): unknown {
  if (error instanceof NoRestore || error instanceof Unreadable) return error;
  if (!(error instanceof Error) || !("code" in error)) return error;
  if (error.code === "ENOSPC" || error.code === "EDQUOT")
    return new NoRestore(
      `there is no room left where ${quoted(data)} is (${error.message}); make room there`,
    );
  return new NoRestore(`${error.message}; look at ${quoted(data)} and ${quoted(work)}`);
}
