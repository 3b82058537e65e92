import type { LockUrl } from "../config/lock-url.ts";
import { parse_json } from "./json.ts";
import type { Lock, LockOptions } from "./lock.ts";

/**
 * The backend that a URL names. Each is loaded only when it is asked for: the others cost no start-up time.
 * This is the only file that knows them all.
 */
export async function open_lock(url: LockUrl, options: LockOptions): Promise<Lock> {
  const { volume } = options;
  if (volume === undefined || url.scheme === "file") return (await backend_of(url, options))(options);
  const { WitnessedLock } = await import("./witnessed/lock.ts");
  return new WitnessedLock(await backend_of(url, options), volume, options);
}

async function backend_of(url: LockUrl, { time }: LockOptions): Promise<(options: LockOptions) => Lock> {
  const { path, endpoints } = url;
  switch (url.scheme) {
    case "etcd":
    case "etcds": {
      const { EtcdLock } = await import("./etcd/lock.ts");
      return (options) =>
        new EtcdLock({ endpoints: [...endpoints], tls: url.scheme === "etcds", path }, options);
    }
    case "zk":
    case "zks": {
      const { ZooKeeperLock } = await import("./zookeeper/lock.ts");
      return (options) =>
        new ZooKeeperLock({ servers: [...endpoints], tls: url.scheme === "zks", path }, options);
    }
    case "memory": {
      const { MemoryLock, MemoryService } = await import("./memory.ts");
      return (options) => new MemoryLock(new MemoryService(time), options);
    }
    case "file": {
      const { FileLock } = await import("./file/lock.ts");
      return (options) => new FileLock({ path }, options);
    }
  }
}

/** Gives the lock back for a dead controller, from the record that it had left with the guard. */
export async function release_lock(record_json: string): Promise<void> {
  const { kind } = parse_json(record_json);
  switch (kind) {
    case "etcd":
      return (await import("./etcd/release.ts")).release_etcd(record_json);
    case "zookeeper":
      return (await import("./zookeeper/release.ts")).release_zookeeper(record_json);
    case "file":
      return (await import("./file/release.ts")).release_file(record_json);
    case "witnessed":
      return (await import("./witnessed/release.ts")).release_witnessed(record_json);
    default: // the memory of the dead controller
      return undefined;
  }
}
