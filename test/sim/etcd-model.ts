// etcd as the lock meets it: one history that a quorum agrees on, and members that are late, stuck, deposed or stopped. What a
// client sends may be applied long after it gave up; leases end late and never early, and a new leader extends them all.

import type { EtcdApi, KeyValue, Operation, TxnAnswer, WatchEvent } from "../../src/lock/etcd/api.ts";
import { EtcdLock } from "../../src/lock/etcd/lock.ts";
import { give_back, type ReleaseRecord } from "../../src/lock/etcd/release.ts";
import { LockUnknown } from "../../src/errors.ts";
import type { ModelBackend, Setting } from "./cluster.ts";
import type { Machine } from "./machine.ts";
import { Pipe } from "./pipe.ts";
import { Clock, type World } from "./world.ts";

type Lease = { ttl_ms: number; end_ns: bigint };

class Store {
  readonly #clock: Clock;
  readonly #keys = new Map<string, KeyValue>();
  readonly #leases = new Map<bigint, Lease>();
  readonly watchers = new Set<(event: WatchEvent) => void>();
  /** Of all that has happened, for a watch that begins in the past. */
  readonly #events: WatchEvent[] = [];
  on_expiry: () => void = () => {};
  revision = 1n;
  #next_lease = 1n;

  constructor(clock: Clock) {
    this.#clock = clock;
    const expire = (): void => {
      for (const [id, { end_ns }] of this.#leases) if (clock.now_ns() >= end_ns) this.#expire(id);
      clock.after(500, expire);
    };
    expire();
  }

  #expire(lease: bigint): void {
    const held = [...this.#keys.values()].some((kv) => kv.lease === lease && kv.key.endsWith("/lock"));
    this.revoke(lease);
    if (held) this.on_expiry();
  }
  grant(ttl_s: number): { lease: bigint; ttl_s: number } {
    const lease = this.#next_lease++;
    this.#leases.set(lease, { ttl_ms: ttl_s * 1000, end_ns: this.#end(ttl_s * 1000) });
    return { lease, ttl_s };
  }
  revoke(lease: bigint): void {
    this.#leases.delete(lease);
    const gone = [...this.#keys.values()].filter((kv) => kv.lease === lease);
    if (gone.length > 0) this.revision++;
    for (const { key } of gone) this.#delete(key);
  }
  keep_alive(lease: bigint): number {
    const found = this.#leases.get(lease);
    if (!found) return 0;
    found.end_ns = this.#end(found.ttl_ms);
    return found.ttl_ms / 1000;
  }
  /** A new leader gives every lease its full length. */
  promote(): void {
    for (const lease of this.#leases.values()) lease.end_ns = this.#end(lease.ttl_ms);
  }
  ttl_of(lease: bigint): number {
    return (this.#leases.get(lease)?.ttl_ms ?? 0) / 1000;
  }

  txn(...[compare, success, failure]: Parameters<EtcdApi["txn"]>): TxnAnswer {
    const succeeded = compare.every(({ key, target, equals }) => {
      const { create_revision, mod_revision } = this.#keys.get(key) ?? {
        create_revision: 0n,
        mod_revision: 0n,
      };
      return (target === "create" ? create_revision : mod_revision) === equals;
    });
    const operations = succeeded ? success : failure;
    // As etcd does: no write may name a lease that is gone.
    for (const one of operations)
      if ("lease" in one && !this.#leases.has(one.lease))
        throw new LockUnknown("requested lease not found", String(one.lease), "trying again");
    if (operations.some(({ op }) => op !== "get")) this.revision++;
    const gets: (KeyValue | undefined)[] = [];
    for (const one of operations) this.#do(one, gets);
    return { succeeded, revision: this.revision, gets };
  }
  range(key: string, prefix: boolean): { kvs: KeyValue[]; revision: bigint } {
    const all = [...this.#keys.values()].filter((kv) => (prefix ? kv.key.startsWith(key) : kv.key === key));
    return { kvs: all.map((kv) => ({ ...kv })), revision: this.revision };
  }
  delete_lock(): void {
    const key = [...this.#keys.keys()].find((one) => one.endsWith("/lock"));
    if (key !== undefined) {
      this.revision++;
      this.#delete(key);
    }
  }

  #do(one: Operation, gets: (KeyValue | undefined)[]): void {
    const old = this.#keys.get(one.key);
    switch (one.op) {
      case "get":
        gets.push(old && { ...old });
        break;
      case "delete":
        this.#delete(one.key);
        break;
      case "attach":
        if (old) this.#put({ ...old, mod_revision: this.revision, lease: one.lease });
        break;
      case "put":
        this.#put({
          key: one.key,
          value: one.value,
          create_revision: old?.create_revision ?? this.revision,
          mod_revision: this.revision,
          lease: one.lease ?? 0n,
        });
        break;
    }
  }
  #put(kv: KeyValue): void {
    this.#keys.set(kv.key, kv);
    this.#tell({ type: "put", kv: { ...kv } });
  }
  #delete(key: string): void {
    if (!this.#keys.delete(key)) return;
    this.#tell({ type: "delete", key, mod_revision: this.revision });
  }
  #tell(event: WatchEvent): void {
    this.#events.push(event);
    for (const told of [...this.watchers]) told(event);
  }
  /** What came after this revision, and then whatever comes. */
  watch(after: bigint, told: (event: WatchEvent) => void): void {
    for (const event of this.#events)
      if ((event.type === "put" ? event.kv.mod_revision : event.mod_revision) > after) told(event);
    this.watchers.add(told);
  }
  #end(ttl_ms: number): bigint {
    return this.#clock.now_ns() + BigInt(Math.round(ttl_ms * 1e6));
  }
}

export function etcd_backend(world: World, { timing: { attempt_ms } }: Setting): ModelBackend {
  const { random } = world;
  const store = new Store(new Clock(world, random.between(-4e-4, 4e-4), 0n));
  const trouble = { down: 0, slow: 0, stale: 0 };
  const crowd = random.pick([0, 0, 40]);

  function api(machine: Machine): EtcdApi {
    const { controller } = machine;
    /** There and back. What was sent is applied once, later, or never; whether it was, the client may not learn. */
    const call = <T>(request: () => T): Promise<T> =>
      new Promise((resolve, reject) => {
        const give_up = controller.after(attempt_ms, () =>
          reject(new LockUnknown("etcd did not answer", "", "trying again")),
        );
        if (machine.cut && random.chance(0.9)) return;
        const stuck = trouble.slow > 0 && random.chance(0.5);
        const there_ms = random.between(0.2, 5) + (stuck ? random.between(0, 20_000) : 0);
        const apply = (): void => {
          if (trouble.down > 0) return;
          let settle: () => void;
          try {
            const answer = request();
            settle = () => resolve(answer);
          } catch (error) {
            settle = () => reject(error);
          }
          if (machine.cut) return;
          const slow = trouble.slow > 0 && random.chance(0.3);
          const back_ms = random.between(0.2, 5) + (slow ? random.between(0, attempt_ms) : 0);
          world.after(back_ms, () =>
            controller.run(() => {
              give_up();
              settle();
            }),
          );
        };
        world.after(there_ms, apply);
      });
    return {
      grant: (ttl_s) => call(() => store.grant(ttl_s)),
      revoke: (lease) => call(() => store.revoke(lease)),
      // A deposed leader answers as if it had extended the lease.
      keep_alive: (lease) => call(() => (trouble.stale > 0 ? store.ttl_of(lease) : store.keep_alive(lease))),
      txn: (...args) => call(() => store.txn(...args)),
      count: () => call(() => crowd),
      keys: (prefix) => call(() => store.range(prefix, true).kvs.map(({ key }) => key)),
      range: (key, options) => call(() => store.range(key, options?.prefix === true)),
      watch: (key, after, on_event, abort) =>
        new Promise((resolve) => {
          // One stream: every event, in order, late.
          const stream = new Pipe(world, {
            to: controller,
            delay_ms: () => random.between(0.2, 5),
            blocked: () => machine.cut || trouble.down > 0,
            quiet: false,
          });
          const told = (event: WatchEvent): void => {
            const its_key = event.type === "put" ? event.kv.key : event.key;
            if (its_key === key) stream.send(() => !abort.aborted && on_event(event));
          };
          store.watch(after, told);
          const end = (): void => {
            store.watchers.delete(told);
            stream.break();
            resolve();
          };
          controller.after(random.between(10_000, 60_000), end); // a watch doesn't last for ever
          abort.addEventListener("abort", end);
        }),
      close: () => {},
    };
  }

  const for_a_while = (what: keyof typeof trouble) => (for_ms: number) => {
    trouble[what]++;
    world.after(for_ms, () => trouble[what]--);
  };
  return {
    lock: (options, machine) =>
      new EtcdLock({ endpoints: [], tls: false, path: "/sim" }, options, api(machine)),
    release(json, machine) {
      const { create_revision, record } = JSON.parse(json) as ReleaseRecord;
      if (create_revision === "0" || machine.cut || trouble.down > 0) return;
      const txn = (...args: Parameters<EtcdApi["txn"]>) => Promise.resolve(store.txn(...args));
      world.after(3, () => void give_back({ ...api(machine), txn }, "/sim", BigInt(create_revision), record));
    },
    on_expiry: (told) => (store.on_expiry = told),
    delete: () => store.delete_lock(),
    faults: {
      "service-down": for_a_while("down"),
      "delayed-requests": for_a_while("slow"),
      "stale-leader": for_a_while("stale"),
      "leader-change"() {
        for_a_while("down")(random.between(500, 2500));
        world.after(1500, () => store.promote());
      },
    },
  };
}
