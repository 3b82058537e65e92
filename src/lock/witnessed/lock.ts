import { join } from "node:path";
import { end_of, type Proof } from "../../core/lease.ts";
import { derive } from "../../core/timing.ts";
import { LockUnknown } from "../../errors.ts";
import { fresh_uuid } from "../../guard/kernel.ts";
import { leasehold_folder } from "../../storage/identity.ts";
import { VolumeLease } from "../../storage/lease/lease.ts";
import { limit_of, ProbeStore } from "../../storage/lease/probe-store.ts";
import { type Changes, DirectoryChanges } from "../file/changes.ts";
import type { FilePorts } from "../file/lock.ts";
import { look_at } from "../file/look.ts";
import { release_record_of } from "../file/release.ts";
import type {
  Busy,
  Lock,
  LockOptions,
  LockView,
  Lost,
  Proved,
  ReleaseState,
  Taken,
  VolumeWitness,
} from "../lock.ts";
import { Inner } from "./inner.ts";
import type { ReleaseRecord } from "./release.ts";

/** Why a wait is taken back that nobody needs any more. */
const waited = new Error("waited enough");

type Asked = { free: boolean; failed: { error: unknown } | null; answered: AbortController };

/**
 * A lock service's lock, and the volume as the second witness: the lock decides who may claim, the volume who may run
 * (docs/volume-lease.md). The token is the claim's number, and the lock's own goes along.
 */
export class WitnessedLock implements Lock {
  readonly url: string;
  readonly #options: LockOptions;
  readonly #volume: VolumeWitness;
  readonly #lease: VolumeLease;
  readonly #inner: Inner;
  readonly #changes: Changes;
  /** What the volume has proved last; null: nothing is held. */
  #volume_proof: Proof | null = null;

  constructor(
    open_inner: (options: LockOptions) => Lock,
    volume: VolumeWitness,
    options: LockOptions,
    ports: Partial<FilePorts> = {},
  ) {
    const { identity, ttl_ms, time, on_note } = options;
    const { path, view_age_ms, local, id, paranoid = false, on_outage = "stop" } = volume;
    const { random = Math.random, uuid = fresh_uuid } = ports;
    const store = ports.store ?? new ProbeStore({ path, time, limit_ms: limit_of(options), stays: true });
    this.#options = options;
    this.#volume = volume;
    this.#changes = ports.changes ?? new DirectoryChanges(join(path, leasehold_folder), time, local);
    const note = on_note ?? (() => {});
    this.#inner = new Inner(
      open_inner({ ...options, on_lost: (because) => this.#inner_lost(because) }),
      options.time,
      note,
    );
    this.url = this.#inner.lock.url;
    this.#lease = new VolumeLease({
      ...{ store, time, path, identity, ttl_ms, random, uuid, paranoid, view_age_ms, on_note: note },
      ...{ mode: on_outage, volume_id: id, register: options.register ?? true },
      on_ended: (because) => this.#tell_lost(because),
    });
  }

  get #holds_on(): boolean {
    return this.#volume.on_outage === "hold";
  }

  /** R5. */
  async take(): Promise<Taken | Busy> {
    this.#volume_proof = null;
    // R5.1: no lock is taken while anybody shows life.
    const seen = await this.#lease.observe();
    if (!seen.silent) return { kind: "busy", holder: seen.holder };
    const answer = await this.#inner.take();
    if (answer.kind === "busy") return answer;
    try {
      const is_live = (): boolean => this.#inner.is_live();
      const acquired = await this.#inner.renewing(
        this.#lease.acquire({ token: answer.token, is_live }),
        derive(this.#options.ttl_ms).renew_ms,
      );
      if (acquired.kind === "refused") {
        // R6: whoever holds the lock and sees life gives it back.
        await this.#inner.give_back();
        return { kind: "busy", holder: acquired.holder };
      }
      const { claim: token, previous, previous_seen_ns } = acquired;
      const proof = this.#proof(acquired.proof);
      if (proof === null) {
        // R2: the lock went while the last beat was under way. Nothing was started under either.
        await this.#lease.withdraw("its lock was lost while it was taken");
        await this.#inner.give_back();
        return { kind: "busy", holder: null };
      }
      this.#volume_proof = acquired.proof;
      const found = previous ? { previous, previous_seen_ns } : this.#found(answer);
      if (found.previous === null || found.previous.state === "clean") await this.#inner.mark_if_needed();
      return {
        ...{ kind: "taken", token, lock_token: answer.token, proof },
        ...{ previous: found.previous, previous_seen_ns: found.previous_seen_ns },
      };
    } catch (error) {
      await this.#inner.give_back();
      throw error;
    }
  }

  /**
   * Where nobody ever ran by the volume, the lock's record may be of before there was a volume lease. Unless it is our own, left running:
   * that was an attempt which came to nothing here, and had no answer when it was given back.
   */
  #found({ previous, previous_seen_ns }: Taken): Pick<Taken, "previous" | "previous_seen_ns"> {
    const own = previous?.instance === this.#options.identity.instance && previous.state === "running";
    return own ? { previous: null, previous_seen_ns: null } : { previous, previous_seen_ns };
  }

  /** R2: V under hold; else whichever of V and L ends first. null: L is needed, and isn't there. */
  #proof(volume: Proof): Proof | null {
    const lock = this.#inner.proof;
    if (this.#holds_on) return volume;
    return lock === null || end_of(lock) < end_of(volume) ? lock : volume;
  }

  /** R3, R2, R6. */
  async prove(): Promise<Proved | Lost> {
    if (this.#holds_on) {
      const answer = await this.#lease.prove();
      // R6: the lock is kept, or taken again when it is free, beside it. Nobody waits for it, and nobody dies of it.
      if (answer.kind === "proved") this.#inner.maintain();
      return answer;
    }
    const [beat, renewal] = await Promise.allSettled([this.#lease.prove(), this.#inner.prove()]);
    for (const answer of [renewal, beat])
      if (answer.status === "fulfilled" && answer.value.kind === "lost") return answer.value;
    if (beat.status === "fulfilled" && beat.value.kind === "proved") this.#volume_proof = beat.value.proof;
    for (const answer of [renewal, beat]) if (answer.status === "rejected") throw answer.reason;
    if (this.#volume_proof === null) return { kind: "lost", because: "the volume lease isn't held" };
    const proof = this.#proof(this.#volume_proof);
    return proof ? { kind: "proved", proof } : { kind: "lost", because: "the lock isn't held" };
  }

  async mark(): Promise<void> {
    await this.#lease.mark();
    if (this.#holds_on) return void this.#inner.mark_if_needed();
    await this.#inner.mark();
  }

  /** R7: the volume first. Who comes after us looks there. */
  async release(state: ReleaseState, failures = 0): Promise<void> {
    this.#volume_proof = null;
    this.#inner.end();
    await this.#lease.release(state, failures);
    await this.#inner.release(state, failures);
  }

  /**
   * Until nobody shows life and the lock may be free. The volume is watched all the time, so that its silence needs no waiting
   * later; and as long as somebody lives there, an outage of the lock service is no news.
   */
  async wait(abort: AbortSignal): Promise<void> {
    const enough = new AbortController();
    const end = (): void => enough.abort(abort.reason);
    abort.addEventListener("abort", end);
    let lock = this.#asked(enough.signal);
    try {
      for (;;) {
        abort.throwIfAborted();
        const seen = await this.#lease.observe();
        abort.throwIfAborted();
        const { free, failed, answered } = lock;
        if (seen.silent && free) return;
        if (seen.silent && failed) throw failed.error;
        // While the lock is another's there is no haste.
        const slow = this.#changes.heard || !free;
        const signal = free || failed ? abort : AbortSignal.any([abort, answered.signal]);
        await this.#changes.wait(this.#lease.next_look_ms(seen, slow), signal);
        if (failed) lock = this.#asked(enough.signal);
      }
    } finally {
      abort.removeEventListener("abort", end);
      enough.abort(waited);
    }
  }

  /** Waits for the lock alone. */
  #asked(signal: AbortSignal): Asked {
    const asked: Asked = { free: false, failed: null, answered: new AbortController() };
    this.#inner.lock.wait(signal).then(
      () => {
        asked.free = true;
        asked.answered.abort(waited);
      },
      (error: unknown) => {
        asked.failed = { error };
        asked.answered.abort(waited);
      },
    );
    return asked;
  }

  /** Who runs, as the volume says; who stands by, as either does: who sees life on the volume doesn't ask the lock service. */
  async look(): Promise<LockView> {
    const { holder, record, contenders } = await look_at(this.#lease);
    const others = await this.#inner.lock.look().catch((error: unknown) => {
      if (!(error instanceof LockUnknown) || !this.#holds_on) throw error;
      return { record: null, contenders: [] };
    });
    const all = new Map([...others.contenders, ...contenders].map((one) => [one.instance, one]));
    return { holder, record: record ?? others.record, contenders: [...all.values()] };
  }

  release_record(): string {
    const record: ReleaseRecord = {
      kind: "witnessed",
      volume: release_record_of(this.#volume.path, limit_of(this.#options), this.#lease.release_block()),
      lock: this.#inner.lock.release_record(),
    };
    return JSON.stringify(record);
  }

  async close(): Promise<void> {
    this.#changes.close();
    this.#inner.end();
    await Promise.all([this.#lease.close(), this.#inner.lock.close()]);
  }

  /** R6: under hold the lock's loss ends nothing. */
  #inner_lost(because: string): void {
    this.#inner.lost(because);
    if (!this.#holds_on) this.#tell_lost(because);
  }
  #tell_lost(because: string): void {
    this.#options.on_lost(because);
  }
}
