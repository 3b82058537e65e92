// Who a volume is: .leasehold/volume.json, written once. Pure; the probe reads and writes it.

import { is_id } from "../config/volume.ts";
import { escaped, quoted } from "../config/quoted.ts";

export type Identity = {
  id: string;
  /** A name for people; nothing depends on it. */
  label: string | null;
  /** When it was written, by the clock of the machine that did: for people only. */
  created: string;
  /** The volume lease's length. All contenders of this volume use it, whatever their own --ttl is. */
  tv_ms: number;
  /** Labelled on purpose although nothing is mounted there: then the id alone vouches for the place. */
  directory: boolean;
};

/** The folder on the volume that is leasehold's. */
export const leasehold_folder = ".leasehold";

export const identity_file = `${leasehold_folder}/volume.json`;

/** More was not written by us. */
export const identity_max_bytes = 4096;

const format = 1;

/** A day: what the guard allows for a deadline, too. */
const tv_max_ms = 86_400_000;

export function encode_identity({ id, label, created, tv_ms, directory }: Identity): Buffer {
  const fields = { format, id, label, created, tv_ms, ...(directory && { directory }) };
  return Buffer.from(`${JSON.stringify(fields)}\n`);
}

/** The identity, or what is wrong with these bytes, as the end of a sentence: "is no JSON". */
export function decode_identity(bytes: Uint8Array): Identity | string {
  if (bytes.length === 0) return "is empty";
  if (bytes.length > identity_max_bytes) return `is longer than ${identity_max_bytes} bytes`;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return "is no JSON";
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "is no JSON object";
  const fields: Readonly<Record<string, unknown>> = { ...value };
  if (!Number.isSafeInteger(fields.format)) return "has no format number";
  if (fields.format !== format)
    return `has format ${String(fields.format)}, and this leasehold knows ${format}`;
  const { id, label, created, tv_ms, directory = false } = fields;
  const unknown = Object.keys(fields).find((name) => !known.includes(name));
  if (unknown !== undefined) return `has the unknown field ${quoted(unknown)}`;
  if (typeof id !== "string" || !is_id(id)) return "has no id";
  if (label !== null && (typeof label !== "string" || wrong_label(label) !== undefined))
    return "has no proper label";
  if (typeof created !== "string" || created !== time_of(created)) return "has no proper time in created";
  if (!is_tv(tv_ms)) return `has no tv_ms from 1 to ${tv_max_ms}`;
  if (typeof directory !== "boolean") return "has a field directory that is neither true nor false";
  return { id, label, created, tv_ms, directory };
}

const known = ["format", "id", "label", "created", "tv_ms", "directory"];

/** Why this can't be a label, as the end of a sentence. */
export function wrong_label(label: string): string | undefined {
  if (label === "" || label.length > 64) return "has 1 to 64 characters";
  return label === escaped(label) ? undefined : "has no control characters";
}

function is_tv(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 1 && value <= tv_max_ms;
}

function time_of(text: string): string | undefined {
  const time = Date.parse(text);
  return Number.isNaN(time) ? undefined : new Date(time).toISOString();
}
