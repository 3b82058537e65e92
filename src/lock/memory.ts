import { LockUnknown } from "../errors.ts";
import { ms_between, ms_to_ns, type Time } from "../core/time.ts";
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
import { contender_of } from "./records.ts";

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
  #found_ns = 0n;
  #renewed_ns = 0n;
  record: LockRecord | null = null;

  constructor(time: Time) {
    this.#time = time;
  }

  get held(): { instance: string; token: bigint; end_ns: bigint; by: LockRecord } | null {
    if (this.#held && this.#time.now_ns() >= this.#held.end_ns) this.#free();
    return this.#held;
  }

  /** previous_age_ms: how long ago the last holder's last request came. */
  take(
    record: LockRecord,
    ttl_ms: number,
  ): { token: bigint; previous: LockRecord | null; previous_age_ms: number } | null {
    const held = this.held;
    if (held && held.instance !== record.instance) return null;
    // Its own, when the answer to an earlier attempt was lost: the same tenure, and the record that was found then.
    if (!held) {
      this.#found = this.record;
      this.#found_ns = this.#renewed_ns;
    }
    const token = held?.token ?? ++this.#tokens;
    const end_ns = this.#renew(ttl_ms);
    this.#held = { instance: record.instance, token, end_ns, by: { ...record, claim: String(token) } };
    this.#watch_end(token);
    if (this.#found === null || this.#found.state === "clean") this.mark(token, record);
    return {
      token,
      previous: this.#found,
      previous_age_ms: ms_between(this.#found_ns, this.#time.now_ns()),
    };
  }
  renew(token: bigint, ttl_ms: number): boolean {
    const { held } = this;
    if (held?.token !== token) return false;
    held.end_ns = this.#renew(ttl_ms);
    return true;
  }
  /** false: it is another's. */
  mark(token: bigint, record: LockRecord): boolean {
    if (this.held?.token !== token) return false;
    this.record = { ...record, claim: String(token) };
    return true;
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

  /** Until this tenure has ended. A timer may come a little early. */
  #watch_end(token: bigint): void {
    const { held } = this;
    if (held?.token !== token) return;
    this.#time.after(Math.max(1, ms_between(this.#time.now_ns(), held.end_ns)), () => this.#watch_end(token));
  }
  #renew(ttl_ms: number): bigint {
    this.#renewed_ns = this.#time.now_ns();
    return this.#renewed_ns + ms_to_ns(ttl_ms);
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
    this.#record = {
      format: record_format,
      ...options.identity,
      claim: "",
      state: "running",
      ttl_ms: options.ttl_ms,
      since: String(options.time.now_ns()),
      failures: 0,
    };
  }

  async take(): Promise<Taken | Busy> {
    const t0_ns = this.#options.time.now_ns();
    const { ttl_ms, identity, register } = this.#options;
    if (register !== false) this.#service.contenders.set(identity.instance, contender_of(identity));
    // Of a tenure that is over, whose release had no answer: no token is used twice.
    const old = this.#token;
    if (old !== 0n) await this.#carry(() => this.#service.release(old, null));
    this.#token = 0n;
    const answer = await this.#carry(() => ({
      taken: this.#service.take(this.#record, ttl_ms),
      holder: this.#service.record,
    }));
    if (!answer.taken) return { kind: "busy", holder: answer.holder };
    const { token, previous, previous_age_ms } = answer.taken;
    const other = previous !== null && previous.instance !== this.#record.instance;
    this.#token = token;
    this.#marked = previous === null || previous.state === "clean";
    this.#unwatch();
    this.#unwatch = this.#service.watch(() => {
      if (this.#token === token && this.#service.held?.token !== token) void this.#tell_lost(token);
    });
    return {
      kind: "taken",
      token,
      proof: { t0_ns, bound_ms: ttl_ms },
      previous,
      previous_seen_ns: other ? this.#options.time.now_ns() - ms_to_ns(previous_age_ms) : null,
    };
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
    if (!(await this.#carry(() => this.#service.mark(token, this.#record))))
      throw new LockUnknown("the lock may not be ours any more", this.url, "the next proof will tell");
    this.#marked = true;
  }

  async release(state: ReleaseState, failures = 0): Promise<void> {
    const token = this.#token;
    this.#unwatch();
    const record: LockRecord | null =
      state === "as-found" ? null : { ...this.#record, claim: String(token), state, failures };
    await this.#carry(() => this.#service.release(token, record));
    // An answer that comes late isn't about the next tenure, which a loss has let begin.
    if (this.#token === token) this.#token = 0n;
  }

  async wait(abort: AbortSignal): Promise<void> {
    abort.throwIfAborted();
    const free = await this.#carry(() => this.#service.held === null);
    if (free) return;
    await new Promise<void>((resolve, reject) => {
      const unwatch = this.#service.watch(() => {
        unwatch();
        resolve();
      });
      abort.addEventListener("abort", () => {
        unwatch();
        reject(abort.reason);
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
