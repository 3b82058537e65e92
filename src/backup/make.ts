// One backup from its beginning to its end. Runs in a job, under the lock of whoever ordered it.

import { mkdirSync, readdirSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { quoted } from "../config/quoted.ts";
import { describe_size } from "../config/sizes.ts";
import { fresh_uuid } from "../guard/kernel.ts";
import { archive } from "./archive.ts";
import { next_sequence } from "./catalogue.ts";
import { backup_id, type Manifest } from "./manifest.ts";
import type { Meter } from "./meter.ts";
import type { Store } from "./store.ts";
import { Unfit } from "./tree.ts";

type Origin = Pick<Manifest, "token" | "node" | "volume_id">;

/** It could not be made: one sentence that ends with the remedy. */
export class NoBackup extends Error {}

/**
 * makes: is told before anything of it lies there. dump: runs the user's command, which fills this empty directory; null: the data directory itself is read. What fails leaves nothing
 * that counts.
 */
export async function make_backup(
  store: Store,
  data: string,
  origin: Origin,
  dump: ((folder: string, id: string) => Promise<void>) | null,
  meter: Meter,
  makes: (id: string) => void = () => {},
): Promise<Manifest> {
  const now_ms = Date.now();
  const id = backup_id(now_ms, fresh_uuid());
  const sequence = next_sequence(store.list());
  makes(id);
  store.begin(id);
  try {
    const dumped = join(store.folder(id), "dump");
    if (dump) {
      mkdirSync(dumped, { mode: 0o700 });
      await dump(dumped, id);
      if (readdirSync(dumped).length === 0)
        throw new NoBackup(
          "the backup command ended well, but has put nothing into LEASEHOLD_BACKUP_TARGET; see what it did",
        );
    }
    const archived = await archive(dump ? dumped : data, store.archive(id), meter);
    if (dump) rmSync(dumped, { recursive: true });
    const manifest: Manifest = {
      ...{ id, app: store.app, sequence, created: new Date(now_ms).toISOString(), ...origin },
      ...archived,
      took_ms: meter.elapsed_ms,
    };
    store.finish(manifest);
    return manifest;
  } catch (error) {
    rmSync(store.folder(id), { recursive: true, force: true });
    throw told(error, store, data);
  }
}

function told(error: unknown, store: Store, data: string): unknown {
  if (error instanceof Unfit)
    return new NoBackup(
      `${quoted(data)} can't be backed up as it is: ${error.message}; stop what writes to it, or give --backup-with a command that ` +
        "the app has for that",
    );
  if (!(error instanceof Error) || !("code" in error)) return error;
  if (error.code === "ENOSPC" || error.code === "EDQUOT") {
    const { bavail, bsize } = statfsSync(store.path);
    return new NoBackup(
      `the store ${quoted(store.path)} is full, ${describe_size(bavail * bsize)} are left; make room there`,
    );
  }
  return new NoBackup(`${error.message}; look at ${quoted(data)} and ${quoted(store.path)}`);
}
