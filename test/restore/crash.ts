// A restore that is cut off at each of its steps, and what the next one makes of it. Always either the old data or the new one, whole;
// in the end the new one, and the old one kept.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { not_data } from "../../src/backup/tree.ts";
import { previous_of } from "../../src/restore/exchange.ts";
import { read_journal } from "../../src/restore/journal.ts";
import { place_of } from "../../src/restore/place.ts";
import { a_store, back_up, fill, scratch } from "../backup/backups.ts";
import type { Restorer } from "../fixtures/restorer.ts";
import { mounts_folder, sh } from "../support/file-systems.ts";

export type Kind = "ext4" | "xfs";
export type Case = {
  kind: Kind;
  /** Whether the data directory is the mount point itself, so that entries are moved. */
  at_mount_point: boolean;
  power_cut: boolean;
};

const old_files = { "a/one": "old", two: "old", "four/x": "old", "\u00e4": "old" };
const new_files = { "a/one": "new", two: "new", three: "new", big: "new".repeat(500_000) };

const node = process.execPath;
const program = join(import.meta.dirname, "../fixtures/restorer.ts");

/** The name of every step that it was killed at. */
export async function crash_at_each_step(
  t: TestContext,
  { kind, at_mount_point, power_cut }: Case,
): Promise<string[]> {
  const folder = scratch(t);
  const store = a_store(folder);
  const source = join(folder, "source");
  fill(source, new_files);
  const { id } = await back_up(store, source);
  const fs = new FileSystem(t, kind);
  const steps: string[] = [];
  for (let die_at = 0; ; die_at++) {
    fs.fresh();
    const data = at_mount_point ? fs.path : join(fs.path, "db");
    fill(data, old_files);
    sh('sync -f "$1"', fs.path);
    const run = (die: number | null): { signal: string | null; lines: string[] } => {
      const options: Restorer = {
        ...{ data, store: store.path, id, die_at: die, power: power_cut && die !== null ? fs.path : null },
      };
      const { signal, stdout, stderr } = spawnSync(node, [program, JSON.stringify(options)], {
        encoding: "utf8",
      });
      assert.ok(signal !== null || stderr === "", stderr);
      return { signal, lines: stdout.trimEnd().split("\n") };
    };
    const first = run(die_at);
    if (first.signal === null) {
      assert.equal(first.lines.at(-1), "restored");
      assert.deepEqual(contents(data), new_files);
      return steps;
    }
    const where = first.lines.at(-1) ?? "";
    steps.push(where);
    if (power_cut) fs.power_comes_back();
    // What may be started is one of the two; anything else says by its journal that it isn't to be.
    const journal = read_journal(place_of(data).work);
    if (journal === null || journal.step === "staging") {
      const now = contents(data);
      assert.deepEqual(now, now.three === undefined ? old_files : new_files, `after a crash at "${where}"`);
    }
    const second = run(null);
    assert.match(second.lines.at(-1) ?? "", /^(resumed|restored|nothing)$/, where);
    assert.deepEqual(contents(data), new_files, where);
    const place = place_of(data);
    assert.deepEqual(readdirSync(place.work).toSorted(), ["previous", "restored.json", "used.json"], where);
    const kept = readdirSync(previous_of(place));
    assert.equal(kept.length, 1, where);
    assert.deepEqual(contents(join(previous_of(place), kept[0] ?? "")), old_files, where);
    assert.equal(run(null).lines.at(-1), "nothing", "once is once");
  }
}

/** Files and what is in them. */
function contents(folder: string): Record<string, string> {
  if (!existsSync(folder)) return {};
  const top = readdirSync(folder).filter((name) => !not_data.has(name));
  const files = top.flatMap((name) => {
    const below = readdirSync(join(folder, name, ".."), {
      recursive: true,
      withFileTypes: true,
      encoding: "utf8",
    });
    return below
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
      .filter((path) => path === name || path.startsWith(`${name}/`));
  });
  return Object.fromEntries(files.toSorted().map((path) => [path, readFileSync(join(folder, path), "utf8")]));
}

class FileSystem {
  readonly path: string;
  readonly #image: string;
  readonly #kind: Kind;

  constructor(t: TestContext, kind: Kind) {
    this.#kind = kind;
    this.path = join(mounts_folder(t), "v");
    this.#image = join(dirname(this.path), "image");
    mkdirSync(this.path);
  }

  /** An empty one, mounted. */
  fresh(): void {
    sh('! mountpoint -q "$1" || umount "$1"', this.path);
    const size = this.#kind === "xfs" ? "320M" : "64M";
    sh('rm -f "$2"; truncate --size "$3" "$2"; "mkfs.$1" -q "$2"', this.#kind, this.#image, size);
    this.#mount();
  }
  /**
   * From a copy of what reached the disk: a mount namespace that somebody made meanwhile may keep the file system that was shut down, and
   * a mount of the same image would be that one.
   */
  power_comes_back(): void {
    sh('umount "$1"', this.path);
    sh('cp --sparse=always "$1" "$1.copy"; mv "$1.copy" "$1"', this.#image);
    this.#mount();
  }
  #mount(): void {
    const options = this.#kind === "xfs" ? "loop,nouuid" : "loop";
    sh('mount -o "$1" "$2" "$3"', options, this.#image, this.path);
  }
}
