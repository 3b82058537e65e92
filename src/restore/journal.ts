// How far a restore is, on disk before each step that depends on it; and the marker of what was restored last. Both lie beside the
// data directory and are replaced at once, never changed.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { put, read, sync_folder } from "../backup/store.ts";
import type { RestoredFrom } from "../backup/advance.ts";
import type { Marker } from "./plan.ts";

/**
 * staging: what is in staging/ is not whole, and the data is as it was. staged: staging/ is whole, checked and flushed; the old data
 * is being put aside. moving-in: nothing of the old data is left in its place. exchanged: the new data is in its place.
 */
type Step = "staging" | "staged" | "moving-in" | "exchanged";

export type Journal = {
  step: Step;
  /** Names this attempt, and with it the folder of the data before. */
  attempt: string;
  marker: Marker;
};

/** What lies there can't be read, so nothing may be touched: one sentence that ends with the remedy. */
export class Unreadable extends Error {}

const format = 1;
const [journal_file, marker_file, used_file] = ["journal.json", "restored.json", "used.json"];
const steps: readonly string[] = ["staging", "staged", "moving-in", "exchanged"] satisfies Step[];

export function read_journal(work: string): Journal | null {
  const fields = read_fields(join(work, journal_file));
  if (fields === null) return null;
  const { step, attempt, marker } = fields;
  if (!is_step(step) || typeof attempt !== "string" || !/^[\da-f-]{36}$/.test(attempt))
    throw unreadable(join(work, journal_file));
  return { step, attempt, marker: as_marker(marker, join(work, journal_file)) };
}

export function write_journal(work: string, journal: Journal): void {
  put(join(work, journal_file), encode({ ...journal }));
}

export function end_journal(work: string): void {
  rmSync(join(work, journal_file), { force: true });
  sync_folder(work);
}

export function read_marker(work: string): Marker | null {
  const fields = read_fields(join(work, marker_file));
  return fields && as_marker(fields, join(work, marker_file));
}

export function write_marker(work: string, marker: Marker): void {
  put(join(work, marker_file), encode({ ...marker }));
}

/** Who started the app on this data last. */
export type Used = { token: string; volume_id: string | null };

export function read_used(work: string): Used | null {
  const { token, volume_id = null } = read_fields(join(work, used_file)) ?? {};
  if (typeof token !== "string" || !is_token(token) || !is_text_or_null(volume_id)) return null;
  return { token, volume_id };
}

export function write_used(work: string, { token, volume_id }: Used): void {
  put(join(work, used_file), encode({ token, volume_id }));
}

function encode(fields: object): Buffer {
  return Buffer.from(`${JSON.stringify({ format, ...fields })}\n`);
}

function read_fields(path: string): Readonly<Record<string, unknown>> | null {
  const bytes = read(path);
  if (bytes === null) return null;
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString());
  } catch {
    throw unreadable(path);
  }
  if (typeof value !== "object" || value === null) throw unreadable(path);
  const fields: Readonly<Record<string, unknown>> = { ...value };
  if (fields.format !== format) throw unreadable(path);
  return fields;
}

function as_marker(value: unknown, path: string): Marker {
  if (typeof value !== "object" || value === null) throw unreadable(path);
  const { backup, from, restored, token, node, at }: Partial<Record<keyof Marker, unknown>> = value;
  if (!is_text_or_null(backup) || !is_text_or_null(token)) throw unreadable(path);
  if (typeof node !== "string" || typeof at !== "string" || !Array.isArray(restored)) throw unreadable(path);
  const ids = restored.filter((id) => typeof id === "string");
  return { backup, from: as_from(from), restored: ids, token, node, at };
}

/** An older leasehold's marker has none. */
function as_from(value: unknown): RestoredFrom | null {
  if (typeof value !== "object" || value === null) return null;
  const { sequence, created, token, sha256 }: Partial<Record<keyof RestoredFrom, unknown>> = value;
  if (typeof sequence !== "number" || typeof created !== "string") return null;
  if (typeof sha256 !== "string" || Number.isNaN(Date.parse(created))) return null;
  if (!is_text_or_null(token) || (token !== null && !is_token(token))) return null;
  return { sequence, created, token, sha256 };
}

function unreadable(path: string): Unreadable {
  return new Unreadable(
    `${path} can't be read: it is damaged, or a newer leasehold's; look at it and at the data by hand`,
  );
}

function is_step(value: unknown): value is Step {
  return typeof value === "string" && steps.includes(value);
}

function is_token(text: string): boolean {
  return /^\d{1,20}$/.test(text);
}

function is_text_or_null(value: unknown): value is string | null {
  return value === null || typeof value === "string";
}
