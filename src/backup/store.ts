// The built-in store: <store>/<app>/<id>/, with the archive and, written last, its manifest. Runs in a job only.

import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Backup, Verified } from "./catalogue.ts";
import {
  archive_file,
  decode_manifest,
  encode_manifest,
  is_backup_id,
  type Manifest,
  manifest_file,
} from "./manifest.ts";

/** The last full reading of a backup, beside it: a manifest is never changed. */
const verified_file = "verified.json";

export class Store {
  readonly path: string;
  readonly app: string;

  constructor(path: string, app: string) {
    this.path = path;
    this.app = app;
  }

  folder(id: string): string {
    return join(this.path, this.app, id);
  }
  archive(id: string): string {
    return join(this.folder(id), archive_file);
  }

  /** All that lies there, in no order. What is no backup by its name is none of ours. */
  list(): Backup[] {
    const ids = names_in(join(this.path, this.app)).filter(is_backup_id);
    return ids.map((id) => this.look(id));
  }

  look(id: string): Backup {
    const bytes = read(join(this.folder(id), manifest_file));
    if (bytes === null) return { how: "unfinished", id };
    const decoded = decode_manifest(bytes);
    if (decoded.how !== "read") return { ...decoded, id, because: `its manifest ${decoded.because}` };
    const { manifest } = decoded;
    const damaged = (because: string): Backup => ({ how: "damaged", id, because });
    if (manifest.id !== id) return damaged(`its manifest is that of ${manifest.id}`);
    if (manifest.app !== this.app) return damaged(`its manifest is that of another app, ${manifest.app}`);
    const size = statSync(this.archive(id), { throwIfNoEntry: false })?.size;
    if (size === undefined) return damaged("its archive is not there");
    if (size !== manifest.stored_bytes)
      return damaged(`its archive has ${size} bytes, and its manifest says ${manifest.stored_bytes}`);
    return { how: "whole", id, manifest, verified: this.#verified(id) };
  }

  /** A new one, unfinished. */
  begin(id: string): void {
    mkdirSync(this.folder(id), { recursive: true });
  }
  /** Everything else of it is flushed: now it counts. */
  finish(manifest: Manifest): void {
    put(join(this.folder(manifest.id), manifest_file), encode_manifest(manifest));
    sync_folder(join(this.path, this.app));
    sync_folder(this.path);
  }
  verified(id: string, verified: Verified): void {
    put(join(this.folder(id), verified_file), Buffer.from(`${JSON.stringify(verified)}\n`));
  }
  /** The manifest goes first: what is cut off in between is an unfinished one. */
  remove(id: string): void {
    const folder = this.folder(id);
    rmSync(join(folder, manifest_file), { force: true });
    sync_folder(folder);
    rmSync(folder, { recursive: true, force: true });
    sync_folder(join(this.path, this.app));
  }

  #verified(id: string): Verified | null {
    try {
      const value: unknown = JSON.parse(read(join(this.folder(id), verified_file))?.toString() ?? "null");
      if (typeof value !== "object" || value === null) return null;
      const { at, failure }: { at?: unknown; failure?: unknown } = value;
      if (typeof at !== "string" || (failure !== null && typeof failure !== "string")) return null;
      return { at, failure };
    } catch {
      return null; // of no consequence: it is verified again
    }
  }
}

/** In place of what was there, at once and for good. */
export function put(path: string, content: Uint8Array): void {
  const temporary = `${path}.tmp`;
  writeFileSync(temporary, content, { flush: true });
  renameSync(temporary, path);
  sync_folder(join(path, ".."));
}

/** The names in it have reached the storage. */
export function sync_folder(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** null: there is no such file. */
export function read(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}

/** Of what isn't there: none. */
function names_in(path: string): string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}
