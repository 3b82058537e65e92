// Backups for tests: a data directory, a store, and a backup of the one in the other.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { make_backup } from "../../src/backup/make.ts";
import type { Manifest } from "../../src/backup/manifest.ts";
import { Meter } from "../../src/backup/meter.ts";
import { Store } from "../../src/backup/store.ts";

export function scratch(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "leasehold-backup-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function meter(): Meter {
  return new Meter("testing", () => {});
}

/** Files with their contents, by path. */
export function fill(folder: string, files: Readonly<Record<string, string | Uint8Array>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
}

export function a_manifest(changes: Partial<Manifest> = {}): Manifest {
  return {
    id: "20261125T030000Z-0a1b2c3d",
    app: "mysql",
    sequence: 1,
    created: "2026-11-25T03:00:00.000Z",
    token: "7",
    node: "a",
    volume_id: null,
    bytes: 10,
    entries: 2,
    stored_bytes: 100,
    sha256: "0".repeat(64),
    took_ms: 5,
    ...changes,
  };
}

/** A backup of what is in data. */
export async function back_up(store: Store, data: string, token = "7"): Promise<Manifest> {
  return make_backup(store, data, { token, node: "a", volume_id: null }, null, meter());
}

export function a_store(folder: string): Store {
  const path = join(folder, "store");
  mkdirSync(path, { recursive: true });
  return new Store(path, "mysql");
}
