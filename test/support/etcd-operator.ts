// What an operator does to keys by etcd's gateway: unlike etcdctl it keeps nobody waiting while a server doesn't answer.

import type { Etcd } from "./etcd.ts";

const patience_ms = 2000;
const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** null: no answer. */
async function ask(server: Etcd, what: string, body: object): Promise<unknown> {
  const url = `http://127.0.0.1:${server.members[0]?.port}/v3/${what}`;
  const signal = AbortSignal.timeout(patience_ms);
  const answer = await fetch(url, { method: "POST", body: JSON.stringify(body), signal }).catch(() => null);
  return answer?.ok === true ? answer.json() : null;
}

/** prefix: all keys that begin with it, which ends with /. */
export async function delete_keys(server: Etcd, key: string, which: "one" | "prefix" = "one"): Promise<void> {
  const range_end = which === "prefix" ? { range_end: base64(`${key.slice(0, -1)}0`) } : {};
  await ask(server, "kv/deleterange", { key: base64(key), ...range_end });
}

export async function revoke_lease(server: Etcd, key: string): Promise<void> {
  const found = (await ask(server, "kv/range", { key: base64(key) })) as {
    kvs?: { lease?: string }[];
  } | null;
  const lease = found?.kvs?.[0]?.lease;
  if (lease !== undefined) await ask(server, "kv/lease/revoke", { ID: lease });
}

/** Who has the lock there, by its instance; null: nobody, or it is not known. */
export async function locked_by(server: Etcd, key: string): Promise<string | null> {
  const found = (await ask(server, "kv/range", { key: base64(key) })) as { kvs?: { value: string }[] } | null;
  const [kv] = found?.kvs ?? [];
  return kv
    ? (JSON.parse(Buffer.from(kv.value, "base64").toString()) as { instance: string }).instance
    : null;
}
