import { LockUnknown } from "../errors.ts";
import { ms_to_ns, type Time } from "../core/time.ts";
import { type LockRecord, record_format } from "../core/record.ts";
import type {
  Busy,
  Contender,
  Lock,
  LockOptions,
  LockView,
  Lost,
  Proved,
  ReleaseState,
  Taken,
} from "./lock.ts";

/**
 * A lock service in this process: the port's simplest truthful implementation, for tests and the simulator. Its leases
 * end by its own clock, counted from when a request arrives.
 */
export class MemoryService {
  readonly #time: Time;
  readonly #watchers = new Set<() => void>();
  readonly contenders = new Map<string, Contender>();
  #held: { instance: string; token: bigint; end_ns: bigint; by: LockRecord } | null = null;
  #tokens = 0n;
  #found: LockRecord | null = null;
  record: LockRecord | null = null;

  constructor(time: Time) {
    this.#time = time;
  }

  get held(): { instance: string; token: bigint; end_ns: bigint; by: LockRecord } | null {
    if (this.#held && this.#time.now_ns() >= this.#held.end_ns) this.#free();
    return this.#held;
  }

  take(record: LockRecord, ttl_ms: number): { token: bigint; previous: LockRecord | null } | null {
    const held = this.held;
    if (held && held.instance !== record.instance) return null;
    // Its own, when the answer to an earlier attempt was lost: the same tenure, and the record that was found then.
    if (!held) this.#found = this.record;
    const token = held?.token ?? ++this.#tokens;
    const end_ns = this.#time.now_ns() + ms_to_ns(ttl_ms);
    this.#held = { instance: record.instance, token, end_ns, by: { ...record, claim: String(token) } };
    if (this.#found === null || this.#found.state === "clean") this.mark(token, record);
    this.#time.after(ttl_ms, () => this.held);
    return { token, previous: this.#found };
  }
  renew(token: bigint, ttl_ms: number): boolean {
    const { held } = this;
    if (held?.token !== token) return false;
    held.end_ns = this.#time.now_ns() + ms_to_ns(ttl_ms);
    this.#time.after(ttl_ms, () => this.held);
    return true;
  }
  mark(token: bigint, record: LockRecord): void {
    if (this.held?.token === token) this.record = { ...record, claim: String(token) };
  }
  /** record null: it stays as it is. */
  release(token: bigint, record: LockRecord | null): void {
    if (this.held?.token !== token) return;
    this.record = record ?? this.record;
    this.#free();
  }
  /** An operator's mistake. */
  delete(): void {
    if (this.#held) this.#free();
  }
  watch(on_free: () => void): () => void {
    this.#watchers.add(on_free);
    return () => this.#watchers.delete(on_free);
  }

  #free(): void {
    this.#held = null;
    for (const told of [...this.#watchers]) told();
  }
}

/** Carries a request to the service and its answer back. Rejects with LockUnknown when there is none. */
export type Carry = <T>(request: () => T) => Promise<T>;

export class MemoryLock implements Lock {
  readonly url = "memory:";
  readonly #service: MemoryService;
  readonly #options: LockOptions;
  readonly #carry: Carry;
  readonly #record: LockRecord;
  #token = 0n;
  #marked = false;
  #unwatch: () => void = () => {};

  constructor(service: MemoryService, options: LockOptions, carry: Carry = async (request) => request()) {
    this.#service = service;
    this.#options = options;
    this.#carry = carry;
    const { holder, instance, address } = options.identity;
    this.#record = {
      format: record_format,
      ...options.identity,
      claim: "",
      state: "running",
      since: String(options.time.now_ns()),
    };
    if (options.register !== false) service.contenders.set(instance, { node: holder, instance, address });
  }

  async take(): Promise<Taken | Busy> {
    const t0_ns = this.#options.time.now_ns();
    const { ttl_ms } = this.#options;
    // Of a tenure that is over, whose release had no answer: no token is used twice.
    const old = this.#token;
    if (old !== 0n) await this.#carry(() => this.#service.release(old, null));
    this.#token = 0n;
    const answer = await this.#carry(() => ({
      taken: this.#service.take(this.#record, ttl_ms),
      holder: this.#service.record,
    }));
    if (!answer.taken) return { kind: "busy", holder: answer.holder };
    const { token, previous } = answer.taken;
    this.#token = token;
    this.#marked = previous === null || previous.state === "clean";
    this.#unwatch();
    this.#unwatch = this.#service.watch(() => {
      if (this.#token === token && this.#service.held?.token !== token) void this.#tell_lost(token);
    });
    return { kind: "taken", token, proof: { t0_ns, bound_ms: ttl_ms }, previous };
  }

  async #tell_lost(token: bigint): Promise<void> {
    try {
      await this.#carry(() => {});
      if (this.#token === token) this.#options.on_lost("the lock was deleted or has ended");
    } catch (error) {
      if (!(error instanceof LockUnknown)) throw error;
    }
  }

  async prove(): Promise<Proved | Lost> {
    const t0_ns = this.#options.time.now_ns();
    const bound_ms = this.#options.ttl_ms;
    const token = this.#token;
    const renewed = await this.#carry(() => this.#service.renew(token, bound_ms));
    if (!renewed) return { kind: "lost", because: "the lock has ended, or is another's" };
    return { kind: "proved", proof: { t0_ns, bound_ms } };
  }

  async mark(): Promise<void> {
    const token = this.#token;
    await this.#carry(() => this.#service.mark(token, this.#record));
    this.#marked = true;
  }

  async release(state: ReleaseState): Promise<void> {
    const token = this.#token;
    const record: LockRecord | null =
      state === "as-found" ? null : { ...this.#record, claim: String(token), state };
    await this.#carry(() => this.#service.release(token, record));
    this.#token = 0n;
    this.#unwatch();
  }

  async wait(abort: AbortSignal): Promise<void> {
    const free = await this.#carry(() => this.#service.held === null);
    if (free) return;
    await new Promise<void>((resolve, reject) => {
      const unwatch = this.#service.watch(() => {
        unwatch();
        resolve();
      });
      abort.addEventListener("abort", () => {
        unwatch();
        reject(new LockUnknown("the wait was given up", "", "it is over"));
      });
    });
  }

  look(): Promise<LockView> {
    const { record, contenders } = this.#service;
    return this.#carry(() => ({
      holder: this.#service.held?.by ?? null,
      record,
      contenders: [...contenders.values()],
    }));
  }

  release_record(): string {
    const record = this.#marked ? { ...this.#record, claim: String(this.#token), state: "clean" } : null;
    return JSON.stringify({ kind: "memory", token: String(this.#token), record });
  }

  close(): Promise<void> {
    this.#unwatch();
    this.#service.contenders.delete(this.#options.identity.instance);
    return Promise.resolve();
  }
}
