// The lock in memory keeps the contract of a lock: it is the reference of the others, and the simulator's.

import type { LockRecord } from "../../src/core/record.ts";
import { LockUnknown } from "../../src/errors.ts";
import { type Carry, MemoryLock, MemoryService } from "../../src/lock/memory.ts";
import { type Backend, contract, real_time } from "./contract.ts";

const attempt_ms = 500;

const make = (): Promise<Backend> => {
  const services = new Map<string, MemoryService>();
  const at = (path: string): MemoryService => {
    const known = services.get(path) ?? new MemoryService(real_time);
    services.set(path, known);
    return known;
  };
  /** What was asked while it stood still is done when it goes on, and nobody hears of it any more. */
  let late: (() => unknown)[] | undefined;
  const carry: Carry = (request) =>
    new Promise((resolve, reject) => {
      if (!late) return resolve(request());
      late.push(request);
      real_time.after(attempt_ms, () => reject(new LockUnknown("no answer", "", "trying again")));
    });
  return Promise.resolve({
    ttl_ms: 1000,
    attempt_ms,
    knows_all: true,
    open: (path, options) => new MemoryLock(at(path), options, carry),
    release(record_json) {
      const { token, record } = JSON.parse(record_json) as { token: string; record: LockRecord | null };
      for (const service of services.values())
        if (service.held?.token === BigInt(token)) service.release(BigInt(token), record);
      return Promise.resolve();
    },
    delete_lock: (path) => Promise.resolve(at(path).delete()),
    stop: () => void (late = []),
    resume() {
      for (const request of late ?? []) request();
      late = undefined;
    },
  });
};

contract("memory", make, ["foreign"]);
