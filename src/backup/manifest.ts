// What a backup says of itself: <store>/<app>/<id>/manifest.json, written last, so that a backup without one is only half written.
// Pure.

import { escaped, quoted } from "../config/quoted.ts";

export type Manifest = {
  id: string;
  app: string;
  /** One more than the highest in the store when it was begun. The order of backups: no clock can turn it around. */
  sequence: number;
  /** When it was begun, by the clock of the machine that made it: for people, and for keeping by age. */
  created: string;
  /** The fencing token of the tenure that made it, decimal. null: it was made outside of one. */
  token: string | null;
  node: string;
  /** Of the volume that the data lay on. null: on none with an identity. */
  volume_id: string | null;
  /** What a restore will write: the contents of files, and how many entries. */
  bytes: number;
  entries: number;
  /** The archive as it lies in the store. */
  stored_bytes: number;
  sha256: string;
  took_ms: number;
};

export const manifest_file = "manifest.json";
export const archive_file = "data.tar.zst";

/** More was not written by us. */
const manifest_max_bytes = 16_384;

const format = 1;

/** sum: of the text before it, so that a manifest that was damaged is told from one that says something else. */
export function encode_manifest(manifest: Manifest): Buffer {
  const text = JSON.stringify({ format, ...manifest });
  return Buffer.from(`${text.slice(0, -1)},"sum":"${sum_of(text)}"}\n`);
}

/** newer: another leasehold has written it, and what it means isn't known here. damaged: why, as the end of a sentence. */
export type Decoded =
  | { how: "read"; manifest: Manifest }
  | { how: "newer"; because: string }
  | { how: "damaged"; because: string };

export function decode_manifest(bytes: Uint8Array): Decoded {
  const damaged = (because: string): Decoded => ({ how: "damaged", because });
  if (bytes.length > manifest_max_bytes) return damaged(`is longer than ${manifest_max_bytes} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return damaged("is no JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return damaged("is no JSON object");
  const fields: Readonly<Record<string, unknown>> = { ...value };
  if (!is_count(fields.format)) return damaged("has no format number");
  if (fields.format > format)
    return { how: "newer", because: `has format ${fields.format}, and this leasehold knows ${format}` };
  const { sum, ...rest } = fields;
  if (sum !== sum_of(JSON.stringify(rest))) return damaged("doesn't match its own checksum");
  const { id, app, sequence, created, token, node, volume_id } = rest;
  const { bytes: size, entries, stored_bytes, sha256, took_ms } = rest;
  if (typeof id !== "string" || !is_backup_id(id)) return damaged("has no id");
  if (typeof app !== "string" || !is_app_name(app)) return damaged("names no app");
  if (typeof created !== "string" || Number.isNaN(Date.parse(created))) return damaged("has no time");
  if (token !== null && (typeof token !== "string" || !/^\d{1,20}$/.test(token)))
    return damaged("has no proper token");
  if (typeof node !== "string" || node !== escaped(node)) return damaged("names no node");
  if (volume_id !== null && typeof volume_id !== "string") return damaged("has no proper volume id");
  if (!is_count(sequence) || !is_count(size) || !is_count(entries)) return damaged("has no size");
  if (!is_count(stored_bytes) || !is_count(took_ms)) return damaged("has no size");
  if (typeof sha256 !== "string" || !/^[\da-f]{64}$/.test(sha256)) return damaged("has no SHA-256");
  return {
    how: "read",
    manifest: {
      ...{ id, app, sequence, created, token, node, volume_id },
      ...{ bytes: size, entries, stored_bytes, sha256, took_ms },
    },
  };
}

/** Of a backup, sorted by time to the eye; what makes it unique is its end. */
export function backup_id(now_ms: number, unique: string): string {
  const time = new Date(now_ms).toISOString().replace(/[-:]|\.\d+/g, "");
  return `${time}-${unique.slice(0, 8)}`;
}

export function is_backup_id(text: string): boolean {
  return /^\d{8}T\d{6}Z-[\da-f]{8}$/.test(text);
}

/** One folder in the store, so no path. */
function is_app_name(text: string): boolean {
  return /^[A-Za-z\d][\w.-]{0,99}$/.test(text);
}

/** A backup in a sentence. */
export function describe(manifest: Pick<Manifest, "id" | "node" | "token">): string {
  const { id, node, token } = manifest;
  return `${id} (of ${quoted(node)}${token === null ? "" : `, token ${token}`})`;
}

function sum_of(text: string): string {
  return process.getBuiltinModule("node:crypto").createHash("sha256").update(text).digest("hex");
}

function is_count(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
