import { randomUUID } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encode_identity, leasehold_folder } from "../../src/storage/identity.ts";
import { first_claim } from "../../src/storage/lease/format.ts";

/** Labels a directory as a volume, as `leasehold volume init` does. Its id. */
export function label(path: string, tv_ms: number): string {
  const folder = join(path, leasehold_folder);
  mkdirSync(folder, { recursive: true });
  const id = randomUUID();
  const created = new Date(0).toISOString();
  const { name, content } = first_claim(0n, tv_ms);
  writeFileSync(join(folder, name), content);
  const identity = { id, label: null, created, tv_ms, directory: true };
  writeFileSync(join(folder, "volume.json"), encode_identity(identity));
  return id;
}
