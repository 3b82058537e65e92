import { LockUnknown } from "../../errors.ts";
import { boot_clock } from "../../guard/boot-clock.ts";
import { ProbeStore } from "../../storage/lease/probe-store.ts";

/** What the release program gets. name null: there is nothing to release. content: the beat that says `released`, base64. */
export type ReleaseRecord = {
  kind: "file";
  path: string;
  limit_ms: number;
  name: string | null;
  content: string;
};

export function release_record_of(
  path: string,
  limit_ms: number,
  block: { name: string; content: Buffer } | null,
): ReleaseRecord {
  const name = block?.name ?? null;
  return { kind: "file", path, limit_ms, name, content: block?.content.toString("base64") ?? "" };
}

const tries = 5;

/**
 * R7, for a dead controller: the guard calls for it only with the app's tree empty and the volume synced. Writing it again, or late,
 * changes nothing: the instance is over, and its id is never used again.
 */
export async function release_file(record_json: string): Promise<void> {
  const { path, limit_ms, name, content }: ReleaseRecord = JSON.parse(record_json);
  if (name === null) return;
  const store = new ProbeStore({ path, time: await boot_clock(), limit_ms });
  for (let left = tries; ; left--) {
    try {
      await store.pass([{ do: "write", name, content: Buffer.from(content, "base64") }]);
      return;
    } catch (error) {
      if (!(error instanceof LockUnknown) || left === 1) throw error;
    }
  }
}
