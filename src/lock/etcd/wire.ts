import type { Compare, KeyValue, Operation, TxnAnswer, WatchEvent } from "./api.ts";
import { type Json, json_of, parse_json } from "../json.ts";

// The JSON of etcd's gateway: bytes are base64, 64-bit integers are strings, and what is zero, false or empty is left out.
// So a missing field is its zero, and one of another type is taken for missing.

function list_of(value: unknown): Json[] {
  return Array.isArray(value) ? value.map(json_of) : [];
}

export const base64 = (text: string): string => Buffer.from(text).toString("base64");
const text_of = (value: unknown): string =>
  typeof value === "string" ? Buffer.from(value, "base64").toString() : "";
export const int64 = (value: unknown): bigint =>
  typeof value === "string" && /^-?\d+$/.test(value) ? BigInt(value) : 0n;

export const revision_of = ({ header }: Json): bigint => int64(json_of(header).revision);
/** undefined: it isn't etcd's answer. An answer of a stream has its header inside. */
export function cluster_of({ header, result }: Json): string | undefined {
  const { cluster_id } = json_of(header ?? json_of(result).header);
  return typeof cluster_id === "string" ? cluster_id : undefined;
}

export function key_values({ kvs }: Json): KeyValue[] {
  return list_of(kvs).map(key_value);
}

function key_value(kv: Json): KeyValue {
  return {
    key: text_of(kv.key),
    value: text_of(kv.value),
    create_revision: int64(kv.create_revision),
    mod_revision: int64(kv.mod_revision),
    lease: int64(kv.lease),
  };
}

export function txn_request(compare: Compare[], success: Operation[], failure: Operation[]): Json {
  return {
    compare: compare.map(comparison),
    success: success.map(operation),
    failure: failure.map(operation),
  };
}

function comparison({ key, target, equals }: Compare): Json {
  const revision = String(equals);
  return target === "create"
    ? { key: base64(key), target: "CREATE", result: "EQUAL", create_revision: revision }
    : { key: base64(key), target: "MOD", result: "EQUAL", mod_revision: revision };
}

function operation(one: Operation): Json {
  const key = base64(one.key);
  switch (one.op) {
    case "put":
      return { request_put: { key, value: base64(one.value), lease: String(one.lease ?? 0) } };
    case "attach":
      return { request_put: { key, ignore_value: true, lease: String(one.lease) } };
    case "delete":
      return { request_delete_range: { key } };
    case "get":
      return { request_range: { key } };
  }
}

export function txn_answer(answer: Json, success: Operation[], failure: Operation[]): TxnAnswer {
  const succeeded = answer.succeeded === true;
  const responses = list_of(answer.responses);
  const gets = (succeeded ? success : failure).flatMap(({ op }, index) =>
    op === "get" ? [key_values(json_of(responses[index]?.response_range))[0]] : [],
  );
  return { succeeded, revision: revision_of(answer), gets };
}

/** null: etcd ended the watch. */
export function watch_events(line: string): WatchEvent[] | null {
  const { result } = parse_json(line);
  if (result === undefined) return null;
  const { canceled, events } = json_of(result);
  if (canceled === true) return null;
  return list_of(events).map(({ type, kv }) => {
    const changed = key_value(json_of(kv));
    if (type !== "DELETE") return { type: "put", kv: changed };
    return { type: "delete", key: changed.key, mod_revision: changed.mod_revision };
  });
}

/** The end of the range of all keys with this prefix, as etcd defines it. */
export function prefix_end(prefix: string): string {
  const bytes = Buffer.from(prefix);
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) + 1;
  return bytes.toString("base64");
}
