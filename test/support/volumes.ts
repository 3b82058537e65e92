import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { leasehold_folder } from "../../src/storage/identity.ts";
import type { VolumeWitness } from "../../src/lock/lock.ts";
import { label } from "./volume.ts";

/** Volumes that are made when they are asked for, below one folder: each of its own, labelled. */
export class Volumes {
  readonly root: string;
  readonly #tv_ms: number;

  constructor(tv_ms: number, root: string = mkdtempSync(join(tmpdir(), "leasehold-volumes-"))) {
    this.root = root;
    this.#tv_ms = tv_ms;
  }

  /** Its path. */
  at(name: string): string {
    const path = join(this.root, name.replaceAll("/", "-"));
    if (!existsSync(path)) {
      mkdirSync(path);
      label(path, this.#tv_ms);
    }
    return path;
  }
  witness(name: string): VolumeWitness {
    return { path: this.at(name), id: null, view_age_ms: 0, local: true };
  }
  /** Names of its files of this kind. */
  files(name: string, kind: "beat" | "claim"): string[] {
    const folder = join(this.at(name), leasehold_folder);
    return readdirSync(folder)
      .filter((file) => file.endsWith(`.${kind}`))
      .map((file) => join(folder, file));
  }
  /** What an operator can do by accident: the claims are gone, and what lives stays to be seen. */
  remove_claims(name: string): void {
    for (const file of this.files(name, "claim")) rmSync(file);
  }
  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
