// What a work job is asked for, and what it says: one JSON object on its standard input, one a line on its output.

import type { Backup, Retention } from "../backup/catalogue.ts";
import type { Command } from "../backup/command.ts";
import type { Manifest } from "../backup/manifest.ts";
import type { Progress } from "../backup/meter.ts";
import type { VolumeRequirement } from "../config/volume.ts";
import type { Policy } from "./plan.ts";
import type { Restored } from "./restore.ts";

/** The built-in store: a directory that is checked as volumes are, and under which app's name. */
export type StoreAt = { requirement: VolumeRequirement; app: string };

export type RestoreRequest = {
  data: string;
  policy: Policy;
  first_boot: boolean;
  token: string | null;
  node: string;
  volume_id: string | null;
  store: StoreAt | null;
  load: Command | null;
  check: Command | null;
};

export type BackupRequest = {
  data: string;
  /** null: the command makes the backup where it likes. */
  store: StoreAt | null;
  node: string;
  dump: Command | null;
  retention: Retention;
  /** For the end of another one that is under way. */
  wait: boolean;
};

export type BackedUp =
  /** manifest: null where the command stores it. not_advanced: why it isn't later than what was restored, as the end of a sentence. */
  | { did: "made"; manifest: Manifest | null; pruned: string[]; not_advanced: string | null }
  /** Another one is under way. */
  | { did: "nothing" };

/** A request's kind, its question and its answer. */
export type Work = {
  restore: { ask: RestoreRequest; answer: Restored };
  /** What restore would do. Nothing is changed. volume: where the one is mounted that the data lies on. */
  plan: {
    ask: Omit<RestoreRequest, "volume_id"> & { volume: string | null };
    answer: { lines: string[]; refused: boolean };
  };
  /** Into an empty or missing directory. drill: it is gone again afterwards. */
  unpack: {
    ask: Pick<RestoreRequest, "store" | "load" | "check"> & {
      id: string | null;
      target_ms: number | null;
      to: string;
      drill: boolean;
    };
    answer: { backup: string | null; took_ms: number; bytes: number };
  };
  backup: { ask: BackupRequest; answer: BackedUp };
  list: { ask: { store: StoreAt }; answer: { backups: Backup[] } };
  verify: {
    ask: { store: StoreAt; ids: string[] };
    answer: { verified: { id: string; failure: string | null }[] };
  };
  prune: { ask: { store: StoreAt; retention: Retention; dry_run: boolean }; answer: { pruned: string[] } };
  /** Removes what the data directory held before restores. */
  sweep: { ask: { data: string }; answer: { swept: boolean } };
};
export type Kind = keyof Work;
export type Request = { [K in Kind]: { do: K } & Work[K]["ask"] }[Kind];

export type Said =
  | { progress: Progress }
  | { note: string }
  | { done: unknown }
  /** One sentence that ends with the remedy. */
  | { failed: string };
