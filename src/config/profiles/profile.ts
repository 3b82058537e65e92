import type { OptionName } from "../options.ts";

/** What leasehold knows of one app. Data: each fact with its source. `leasehold config profile NAME` and docs/profiles are made from it. */
export type Profile = {
  /** As people write it. */
  app: string;
  /** Its programs, by which a command that is another app's is noticed. */
  programs: readonly string[];
  /** Options that it gives, as the user would write them; what the user gives beats them. */
  options: Readonly<Partial<Record<OptionName, string>>>;
  /** null: nothing is known of its data, and nothing is looked at. */
  data: {
    /** Where the official image keeps it. */
    image: string;
    /** The app's own options that say where it is, as in its command; the last one counts. */
    flags: readonly string[];
    /** Files or directories of which one is there once the app has initialised it. */
    markers: readonly string[];
    /** Files of which the first line is the version that wrote it, and the variable in which the official image says its own. */
    version?: { readonly files: readonly string[]; readonly variable: string };
    /** Why the app refuses to initialise a directory that holds .leasehold; left out: it doesn't. */
    own_directory?: string;
    /** Lock files with a process id, which may keep the app from starting when they are stale. Removed under the lock. */
    stale: readonly string[];
    /** Files with settings in it, "name = value" a line; the later ones beat the earlier. */
    settings: readonly string[];
  } | null;
  /** Other lock files, and why they are left alone. */
  left: readonly { file: string; why: string }[];
  dangers: readonly Danger[];
  /** Why its data shouldn't lie on storage that other machines have, too; a sentence's end. null: it may. */
  network: string | null;
  /** For docs: what else there is to know. */
  notes: readonly string[];
  sources: readonly { says: string; url: string }[];
  /** What of it was run here; null: nothing, and the docs say so. */
  run: string | null;
};

/** A setting of the app that costs acknowledged writes, or the data. */
export type Danger = {
  /** In its command or files; "-" and "_" are the same, as is the case. */
  setting: string;
  /** Values that are dangerous, lower-case. */
  values: readonly string[];
  /** network: only on storage that other machines have, too. */
  where: "anywhere" | "network";
  /** What it costs; a sentence's end. */
  costs: string;
};
