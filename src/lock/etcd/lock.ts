import type { LockRecord } from "../../core/record.ts";
import { LockRefused, LockUnknown } from "../../errors.ts";
import type { Busy, Lock, LockOptions, LockView, Lost, Proved, ReleaseState, Taken } from "../lock.ts";
import type { EtcdApi, KeyValue, Operation } from "./api.ts";
import { EtcdGateway } from "./gateway.ts";
import { type Lease, Leases, proof_of } from "./leases.ts";
import { parse_json } from "../json.ts";
import { contender_of, parse_contender, parse_record, previous_seen, record_of } from "../records.ts";
import { Line } from "../line.ts";
import { Sighting } from "../sighting.ts";
import { record_in } from "./record-in.ts";
import { Registration } from "./registration.ts";
import { give_back, type ReleaseRecord } from "./release.ts";
import { type EtcdTarget, keys_of, url_of } from "./target.ts";
import { type Tenure, verdict, wait_for_delete, watch_tenure } from "./watching.ts";

/** previous: the record that was found. marked: the record is ours now. */
type OwnTenure = Tenure & { readonly previous: LockRecord | null; marked: boolean; readonly since: string };

const needs_no_fence = (previous: LockRecord | null): boolean =>
  previous === null || previous.state === "clean";

/** How often one call goes again because others changed the keys meanwhile. */
const rounds = 3;

/**
 * One key, created by compare-and-swap, on a lease. Each proof moves the key to a fresh lease (docs/lease-semantics.md says
 * why nothing less proves anything): the transaction compares the key's create revision, so that it is this tenure's, and
 * its mod revision, so that an earlier one of ours, stuck somewhere, can't be applied later and move it back.
 */
export class EtcdLock implements Lock {
  readonly url: string;
  readonly #target: EtcdTarget;
  readonly #options: LockOptions;
  readonly #keys: ReturnType<typeof keys_of>;
  readonly #api: EtcdApi;
  readonly #leases: Leases;
  readonly #registration: Registration;
  readonly #sighting: Sighting;
  readonly #line: Line;
  /**
   * Attempts to take it that had no answer, by their lease: the record that each would have replaced. They compare that
   * record's revision too, and whoever takes the lock writes that, be it the same again: so none of them can be applied later.
   */
  readonly #attempts = new Map<string, LockRecord | null>();
  /** A release that has begun. Until it is confirmed, what it asked for may be applied at any time: nothing is taken or proved. */
  #releasing: [ReleaseState, number] | undefined;
  #tenure: OwnTenure | undefined;
  #closed = false;

  constructor(target: EtcdTarget, options: LockOptions, api: EtcdApi = new EtcdGateway(target, options)) {
    this.url = url_of(target);
    this.#target = target;
    this.#options = options;
    this.#keys = keys_of(target.path);
    this.#api = api;
    this.#leases = new Leases(api, options.time, options.ttl_ms, options.on_note ?? (() => {}));
    this.#sighting = new Sighting(options.time);
    this.#line = new Line(options.identity.instance, options);
    this.#registration = new Registration(api, options.time, options.ttl_ms);
  }

  async take(): Promise<Taken | Busy> {
    this.#register();
    if (this.#releasing) await this.release(...this.#releasing);
    const granted = this.#leases.ahead();
    let { gets } = await this.#api.txn([], this.#both(), []);
    for (let round = 0; round < rounds; round++) {
      const [lock, record] = gets;
      if (record) record_in(record);
      if (lock) granted.drop();
      if (lock) return this.#adopt(lock) ?? this.#busy(lock);
      const answer = await this.#attempt(record, await granted.next());
      if ("kind" in answer) return answer;
      gets = answer.gets;
    }
    throw this.#unknown("others change the record all the time");
  }

  async prove(): Promise<Proved | Lost> {
    const tenure = this.#tenure;
    if (!tenure || this.#releasing) return { kind: "lost", because: "the lock was not taken, or given back" };
    for (let round = 0; round < rounds; round++) {
      if (tenure.over !== null) return { kind: "lost", because: tenure.over };
      const lease = await this.#leases.grant();
      const answer = await this.#api.txn(
        [
          { key: this.#keys.lock, target: "create", equals: tenure.create },
          { key: this.#keys.lock, target: "mod", equals: tenure.mod },
        ],
        [{ op: "attach", key: this.#keys.lock, lease: lease.id }],
        [{ op: "get", key: this.#keys.lock }],
      );
      if (answer.succeeded) {
        tenure.mod = answer.revision;
        this.#leases.revoke_others(lease);
        return { kind: "proved", proof: proof_of(lease) };
      }
      this.#leases.revoke(lease.id).catch(() => {});
      // An earlier rotation of ours was applied without our hearing of it; or it is lost.
      const [lock] = answer.gets;
      const because = verdict(tenure, this.#keys.lock, lock);
      if (lock === undefined || because !== null) return this.#end(tenure, because ?? "");
      tenure.mod = lock.mod_revision;
      const own = this.#leases.get(lock.lease);
      if (own) return { kind: "proved", proof: proof_of(own) };
    }
    throw this.#unknown("others change the key all the time");
  }

  async mark(): Promise<void> {
    const tenure = this.#tenure;
    if (!tenure || tenure.over !== null || this.#releasing) throw this.#unknown("it is not held");
    const value = JSON.stringify(this.#record_of("running", tenure.create, tenure.since));
    const { succeeded } = await this.#api.txn(
      [{ key: this.#keys.lock, target: "create", equals: tenure.create }],
      [{ op: "put", key: this.#keys.record, value }],
      [],
    );
    if (!succeeded) throw this.#unknown("it is not this tenure's any more");
    tenure.marked = true;
  }

  async release(state: ReleaseState, failures = 0): Promise<void> {
    const tenure = this.#tenure;
    this.#releasing = [state, failures];
    tenure?.watch.abort();
    if (tenure && tenure.over === null) {
      const { create, since } = tenure;
      const record = state === "as-found" ? null : this.#record_of(state, create, since, failures);
      await give_back(this.#api, this.#target.path, create, record);
    }
    // An answer that comes late isn't about the next tenure, which a loss has let begin.
    if (this.#tenure === tenure) this.#tenure = undefined;
    // Whatever an attempt without an answer has created, or will, goes with its lease.
    for (const lease of this.#attempts.keys()) {
      await this.#leases.revoke(BigInt(lease));
      this.#attempts.delete(lease);
    }
    this.#leases.revoke_others();
    this.#releasing = undefined;
  }

  wait(abort: AbortSignal): Promise<void> {
    const { time, ttl_ms } = this.#options;
    const { lock: key, contenders } = this.#keys;
    const seen = { sighting: this.#sighting, line: this.#line };
    return wait_for_delete({ api: this.#api, key, contenders, time, look_ms: ttl_ms, ...seen }, abort);
  }

  async look(): Promise<LockView> {
    const { lock, record, contenders } = this.#keys;
    const { kvs } = await this.#api.range(`${this.#target.path}/`, { prefix: true });
    const at = (key: string): LockRecord | null => {
      const kv = kvs.find((one) => one.key === key);
      return kv ? record_in(kv) : null;
    };
    const theirs = kvs.filter(({ key }) => key.startsWith(contenders));
    const known = theirs.map(({ value }) => parse_contender(value)).filter((one) => one !== null);
    return { holder: at(lock), record: at(record), contenders: known };
  }

  release_record(): string {
    const { credentials = {}, attempt_ms } = this.#options;
    const tenure = this.#tenure?.over === null ? this.#tenure : undefined;
    const record: ReleaseRecord = {
      kind: "etcd",
      target: this.#target,
      credentials,
      attempt_ms,
      create_revision: String(tenure?.create ?? 0),
      record: tenure?.marked === true ? this.#record_of("clean", tenure.create, tenure.since) : null,
    };
    return JSON.stringify(record);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#tenure?.watch.abort();
    await this.#registration.end();
    if (!this.#tenure)
      for (const lease of this.#attempts.keys()) await this.#leases.revoke(BigInt(lease)).catch(() => {});
    this.#api.close();
  }

  /** Creates the key, if it isn't there and the record is as it was. Else what is there now. */
  async #attempt(
    found: KeyValue | undefined,
    lease: Lease,
  ): Promise<Taken | { gets: (KeyValue | undefined)[] }> {
    const { lock, record } = this.#keys;
    const previous = found ? record_in(found) : null;
    const attempt = String(lease.id);
    const since = new Date().toISOString();
    const ours = this.#record_of("running", null, since);
    const marked = JSON.stringify({ ...ours, attempt });
    const written = JSON.stringify(needs_no_fence(previous) ? ours : previous);
    this.#attempts.set(attempt, previous);
    const answer = await this.#api
      .txn(
        [
          { key: lock, target: "create", equals: 0n },
          { key: record, target: "mod", equals: found?.mod_revision ?? 0n },
        ],
        [
          { op: "put", key: lock, value: marked, lease: lease.id },
          { op: "put", key: record, value: written },
        ],
        this.#both(),
      )
      .catch((error: unknown) => {
        if (error instanceof LockRefused) this.#drop(attempt);
        throw error;
      });
    if (!answer.succeeded) {
      this.#drop(attempt);
      return answer;
    }
    // A key that is new ends all earlier doubts: neither attempts nor an earlier tenure's rotations can be applied now.
    this.#leases.revoke_others(lease);
    return this.#begin({ create: answer.revision, mod: answer.revision, value: marked }, previous, lease);
  }

  /** An attempt that certainly came to nothing. */
  #drop(attempt: string): void {
    this.#attempts.delete(attempt);
    this.#leases.revoke(BigInt(attempt)).catch(() => {});
  }

  /**
   * The lock is there: by an attempt of ours that had no answer, or still ours. null: another's. Revokes nothing: a
   * rotation without an answer may still be applied.
   */
  #adopt({ value, lease, create_revision, mod_revision }: KeyValue): Taken | null {
    const { instance, attempt } = parse_json(value);
    const own = this.#leases.get(lease);
    if (instance !== this.#options.identity.instance || typeof attempt !== "string" || !own) return null;
    const again = this.#tenure?.create === create_revision ? this.#tenure : undefined;
    const previous = again ? again.previous : (this.#attempts.get(attempt) ?? null);
    return this.#begin({ create: create_revision, mod: mod_revision, value }, previous, own);
  }

  #begin(key: Pick<Tenure, "create" | "mod" | "value">, previous: LockRecord | null, lease: Lease): Taken {
    this.#tenure?.watch.abort();
    this.#attempts.clear();
    const marked = needs_no_fence(previous);
    const { since } = parse_record(key.value, this.#keys.lock);
    const tenure = { ...key, over: null, watch: new AbortController(), previous, marked, since };
    this.#tenure = tenure;
    if (this.#closed) tenure.watch.abort(); // it was taken meanwhile
    const { time, on_lost } = this.#options;
    const told = (because: string): void => {
      this.#end(tenure, because);
      on_lost(because);
    };
    void watch_tenure(tenure, { api: this.#api, key: this.#keys.lock, time, on_lost: told });
    const previous_seen_ns = previous_seen(previous, this.#options.identity, this.#sighting);
    return { kind: "taken", token: key.create, proof: proof_of(lease), previous, previous_seen_ns };
  }

  #end(tenure: Tenure, because: string): Lost {
    tenure.over ??= because;
    tenure.watch.abort();
    return { kind: "lost", because: tenure.over };
  }

  #busy(lock: KeyValue): Busy {
    this.#sighting.see(lock.create_revision, lock.mod_revision);
    return { kind: "busy", holder: record_in(lock) };
  }

  #both(): Operation[] {
    return [
      { op: "get", key: this.#keys.lock },
      { op: "get", key: this.#keys.record },
    ];
  }

  #record_of(state: LockRecord["state"], token: bigint | null, since: string, failures = 0): LockRecord {
    const { identity, ttl_ms } = this.#options;
    return record_of(identity, { state, token, since, ttl_ms, failures });
  }

  #register(): void {
    const { register = true, identity } = this.#options;
    if (register) this.#registration.keep(this.#keys.contenders + identity.instance, contender_of(identity));
  }

  #unknown(why: string): LockUnknown {
    return new LockUnknown(`etcd can't say whose the lock is: ${why}`, this.url, "it will be asked again");
  }
}
