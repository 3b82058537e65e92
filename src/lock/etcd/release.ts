import { setTimeout as sleep } from "node:timers/promises";
import type { LockRecord } from "../../core/record.ts";
import { LockUnknown } from "../../errors.ts";
import type { Credentials } from "../lock.ts";
import type { EtcdApi, Operation } from "./api.ts";
import { EtcdGateway } from "./gateway.ts";
import { type EtcdTarget, keys_of } from "./target.ts";

/** What the release program gets. create_revision "0": there is nothing to give back. record null: it stays as it was found. */
export type ReleaseRecord = {
  kind: "etcd";
  target: EtcdTarget;
  credentials: Credentials;
  attempt_ms: number;
  create_revision: string;
  record: LockRecord | null;
};

/** If the key is still of this tenure, it goes, and the record says how it ended; else nothing happens. */
export async function give_back(
  api: EtcdApi,
  path: string,
  create: bigint,
  record: LockRecord | null,
): Promise<void> {
  const keys = keys_of(path);
  const written: Operation[] = record ? [{ op: "put", key: keys.record, value: JSON.stringify(record) }] : [];
  await api.txn(
    [{ key: keys.lock, target: "create", equals: create }],
    [{ op: "delete", key: keys.lock }, ...written],
    [],
  );
}

const tries = 10;
const between_tries_ms = 100;

/** release() for a dead controller, in another process. Throws when etcd doesn't confirm it; the lease then ends by itself. */
export async function release_etcd(record_json: string): Promise<void> {
  const given: ReleaseRecord = JSON.parse(record_json);
  const { target, credentials, attempt_ms, create_revision, record } = given;
  if (create_revision === "0") return;
  const api = new EtcdGateway(target, { attempt_ms, credentials });
  try {
    for (let left = tries; ; left--) {
      try {
        return await give_back(api, target.path, BigInt(create_revision), record);
      } catch (error) {
        if (!(error instanceof LockUnknown) || left === 1) throw error;
        await sleep(between_tries_ms);
      }
    }
  } finally {
    api.close();
  }
}
