// The volume lease of one contender: docs/volume-lease.md is the protocol, rules.ts and sightings.ts judge, this file acts.
// Not promised here: that the app is dead in time. Every proof has its end, and the guard keeps it.
// Long because the life of an instance, from its claim to its end, is told in one place.

import type { Proof } from "../../core/lease.ts";
import type { LockRecord } from "../../core/record.ts";
import { ms_between, ms_to_ns } from "../../core/time.ts";
import { type Beat, encode_beat, encode_claim, type Mode, name_of, type Standby } from "./format.ts";
import {
  beat_of,
  type Beaten,
  end,
  end_of,
  is_marked,
  type Life,
  released,
  self_of,
  unclean,
  withdrawn,
  write_of,
} from "./life.ts";
import { type Observation, Observer, type ObserverOptions } from "./observer.ts";
import { flaw_of_beat, look_from_ns, sweepable, type Verdict, verdict_of_look } from "./rules.ts";
import { record_of, type Scene } from "./scene.ts";
import { silence_ns } from "./sightings.ts";
import type { Write } from "./store.ts";

export type VolumeLeaseOptions = ObserverOptions & {
  mode: Mode;
  /** R9: survive one rollback of the volume; every take-over then waits for a whole lease. */
  paranoid: boolean;
  /** Unasked, once an instance: it has ended, though nobody ended it. */
  on_ended: (because: string) => void;
  /** [0, 1) and uuids; the simulator's come from its seed. */
  random: () => number;
  uuid: () => string;
};

export type Acquired = {
  kind: "acquired";
  claim: bigint;
  proof: Proof;
  previous: LockRecord | null;
  previous_seen_ns: bigint | null;
};
/** holder: who lives, if that is known. */
export type Refused = { kind: "refused"; because: string; holder: LockRecord | null };

/** R5.2: the lock that allows the claim. */
export type OuterLock = { token: bigint | null; is_live: () => boolean };

const no_lock: OuterLock = { token: null, is_live: () => true };

const beats_in_lease = 6;
/** How often a standby looks: seldom where it hears of changes. */
const poll_most_ms = 500;
const polls_in_lease = 20;
const look_most_ms = 3000;

const unheard = "no beat of its own has counted for a whole lease";

export class VolumeLease {
  readonly #options: VolumeLeaseOptions;
  readonly #observer: Observer;
  #life: Life | null = null;
  /** It is asked for after each beat, and is the same as long as the record is. */
  #block: { life: Life; state: string; name: string; content: Buffer } | null = null;
  #back_off_until_ns = 0n;
  #cancel_end: () => void = () => {};
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: VolumeLeaseOptions) {
    this.#options = options;
    this.#observer = new Observer(options);
  }

  /** A look as a standby. It is called all the time, so that a take-over need not begin to wait when the lock comes free. */
  observe(): Promise<Observation> {
    return this.#in_turn(async () => this.#observation(await this.#observer.stand_by()));
  }
  /** R5.4: who has withdrawn lets others come first for a while. */
  #observation(scene: Scene): Observation {
    const seen = this.#observer.observation(scene);
    return { ...seen, silent: seen.silent && this.#options.time.now_ns() >= this.#back_off_until_ns };
  }

  look(): Promise<{ living: Beat[]; record: LockRecord | null; standbys: Standby[] }> {
    return this.#in_turn(async () => {
      const scene = await this.#observer.look([]);
      const current = this.#life?.ended === null ? this.#life.instance : null;
      return this.#observer.describe(scene, current);
    });
  }

  /** R5. Called only when nothing of an earlier app of ours is alive. */
  acquire(lock: OuterLock = no_lock): Promise<Acquired | Refused> {
    return this.#in_turn(() => this.#acquire(lock));
  }

  async #acquire(lock: OuterLock): Promise<Acquired | Refused> {
    if (this.#life) this.#end(this.#life, "another attempt begins");
    this.#life = null;
    // R5.1 and R5.2: all others are silent, and the claims are listed once more with the lock in hand.
    const before = await this.#observer.stand_by();
    const seen = this.#observation(before);
    if (!seen.silent) return refused("another instance shows life", seen.holder);
    const life = this.#conceive(before);
    try {
      const claimed = await this.#claim(life, before, lock);
      if ("kind" in claimed) return claimed;
      let { scene } = claimed;
      for (;;) {
        const verdict = this.#verdict(life, lock, scene, claimed.look_ns);
        if (verdict.kind === "withdraw") return await this.#withdraw(life, verdict.because);
        if (verdict.kind === "start") break;
        await this.#pause(life, verdict);
        ({ scene } = await this.#beat(life));
      }
      return await this.#open(life, scene);
    } catch (error) {
      // R7: nothing was started. The claim may be there, or come there later: it binds nobody once its instance says `released`.
      this.#end(life, "its attempt failed");
      this.#observer.owe(withdrawn(life));
      throw error;
    }
  }

  /** R1: a fresh uuid for each attempt. */
  #conceive(before: Scene): Life {
    const { time, uuid, mode, identity, ttl_ms } = this.#options;
    const instance = uuid();
    const claim = this.#observer.highest + 1n;
    const tv_ms = before.identity?.value?.tv_ms ?? ttl_ms;
    const volume_id = this.#observer.volume_id ?? "";
    const self = self_of({ ...identity, volume_id: identity.volume_id ?? volume_id }, claim, tv_ms);
    const life: Life = {
      ...{ instance, claim, volume_id, tv_ms, mode, self, record: record_of(before) },
      ...{ seq: 1, state: "claiming", claim_missing_ns: null, ended: null },
      // R3: the first chain deadline counts from the start of sending the claim.
      chain_ns: time.now_ns() + ms_to_ns(tv_ms),
    };
    this.#observer.own.add(instance);
    this.#life = life;
    return life;
  }

  /** R5.3, and the first beat with it. look_ns: no read that begins before decides anything. */
  async #claim(
    life: Life,
    before: Scene,
    { token: lock_token }: OuterLock,
  ): Promise<Refused | { look_ns: bigint; scene: Scene }> {
    const { store, view_age_ms, paranoid } = this.#options;
    const { instance, claim, tv_ms, self, record } = life;
    const temporary = name_of.temporary(instance);
    const content = encode_claim({ claim, instance, tv_ms, lock_token, self, record });
    const answer = await store.pass([
      { do: "create", name: name_of.claim(claim), temporary, content },
      { do: "create", name: name_of.beat(instance), temporary, content: encode_beat(beat_of(life)) },
    ]);
    // R4: what was missing before our claim was acknowledged counts from now.
    this.#observer.sightings.forget_missing();
    const exists = "exists" in answer;
    const scene = exists ? await this.#observer.look([]) : this.#observer.see(answer);
    if (exists && scene.claims.get(claim)?.value?.instance !== instance) {
      this.#end(life, "another made the claim first");
      return refused(`somebody else made the claim ${claim} first`, this.#observation(scene).holder);
    }
    // It is ours although it was there: the answer to making it was lost. Then it is acknowledged only now.
    const claimed_ns = exists ? scene.end_ns : (answer.written_ns[0] ?? scene.end_ns);
    const nothing_there = before.claims.size === 0;
    return { look_ns: look_from_ns(claimed_ns, { tv_ms, view_age_ms, paranoid }, nothing_there), scene };
  }

  /** R5.4. */
  #verdict(life: Life, { is_live }: OuterLock, scene: Scene, look_ns: bigint): Verdict {
    if (life.ended !== null) return { kind: "withdraw", because: life.ended };
    if (!is_live()) return { kind: "withdraw", because: "its lock can't be proved any more" };
    // A read that was begun before is none of the look's.
    const in_ns = look_ns - scene.start_ns;
    if (in_ns > 0n) return { kind: "wait", instance: life.instance, in_ns };
    return verdict_of_look(life, scene, this.#observer.sightings);
  }

  /** R5.5: one more beat, begun after the look, has to count. */
  async #open(life: Life, look: Scene): Promise<Acquired | Refused> {
    const previous = record_of(look);
    life.state = "running";
    life.record = previous === null || previous.state === "clean" ? life.self : previous;
    const { proof, flaw } = await this.#beat(life);
    if (!proof) return this.#withdraw(life, flaw);
    const previous_seen_ns = this.#observer.last_seen_ns(previous, look);
    return { kind: "acquired", claim: life.claim, proof, previous, previous_seen_ns };
  }

  /** Of what was acquired, before anything was started under it. */
  withdraw(because: string): Promise<Refused | null> {
    const life = this.#life;
    return this.#in_turn(async () => life && this.#withdraw(life, because));
  }

  /** R5.4: it has come to nothing. It never started anything, so it may say so at once. */
  async #withdraw(life: Life, because: string): Promise<Refused> {
    const { time, random } = this.#options;
    this.#end(life, because);
    this.#observer.owe(withdrawn(life));
    this.#back_off_until_ns = time.now_ns() + ms_to_ns(this.#poll_ms() * (1 + 4 * random()));
    return refused(because, this.#observation(await this.#observer.look([])).holder);
  }

  // What follows is about the instance at hand when it is called, whichever is when its turn comes.

  /** R3. Called for the instance that acquired. */
  prove(): Promise<{ kind: "proved"; proof: Proof } | { kind: "lost"; because: string }> {
    const life = this.#life;
    return this.#in_turn(async () => {
      if (!life) return { kind: "lost", because: "the volume lease isn't held" };
      if (life.ended !== null) return { kind: "lost", because: life.ended };
      const { proof, flaw, scene } = await this.#beat(life);
      if (proof) {
        void this.#sweep(life, scene);
        return { kind: "proved", proof };
      }
      const ended = end_of(life);
      if (ended !== null) return { kind: "lost", because: ended };
      throw this.#observer.unknown(flaw);
    });
  }

  /** The record beside the lock becomes ours. LockUnknown: it may not be. */
  mark(): Promise<void> {
    const life = this.#life;
    return this.#in_turn(async () => {
      if (!life || life.ended !== null) throw this.#observer.unknown("it isn't held");
      life.record = life.self;
      const { flaw } = await this.#beat(life);
      if (flaw !== null) throw this.#observer.unknown(flaw);
    });
  }

  /**
   * R7: called only when the app is dead, or was never started. `unclean` says that its writes may not be on the volume yet: then
   * it is not `released`, and its silence is waited for, as if it had said nothing.
   */
  release(state: "clean" | "unclean" | "as-found", failures: number): Promise<void> {
    const life = this.#life;
    return this.#in_turn(async () => {
      if (!life) return;
      const over = this.#options.time.now_ns() >= life.chain_ns;
      this.#end(life, "it was released");
      // Whose silence is over already doesn't begin it anew.
      const beat =
        state === "unclean" ? (over ? null : unclean(life, failures)) : released(life, state, failures);
      if (beat && !this.#observer.owes(life.instance)) this.#observer.owe(beat);
      await this.#observer.look([]);
      if (this.#life === life) this.#life = null;
    });
  }

  /** R7: what another process has to write, once the app is confirmed dead and the volume synced. null: there is nothing to release. */
  release_block(): { name: string; content: Buffer } | null {
    const life = this.#life;
    if (!life) return null;
    const state = is_marked(life) ? "clean" : "as-found";
    if (this.#block?.life !== life || this.#block.state !== state) {
      const content = encode_beat(released(life, state, 0));
      this.#block = { life, state, name: name_of.beat(life.instance), content };
    }
    return this.#block;
  }

  /** How long until the next look of a standby is of use. heard: of changes it hears by itself. */
  next_look_ms({ in_ms }: Observation, heard: boolean): number {
    const { time, ttl_ms } = this.#options;
    const back_off_ms = ms_between(time.now_ns(), this.#back_off_until_ns);
    const most_ms = heard ? Math.min(look_most_ms, ttl_ms / beats_in_lease) : this.#poll_ms();
    return Math.max(1, Math.min(most_ms, Math.max(in_ms, back_off_ms)));
  }

  /** Takes the registration back. What is held stays held until its time is over. */
  async close(): Promise<void> {
    this.#cancel_end();
    await this.#in_turn(() => this.#observer.take_registration_back()).catch(() => {});
    this.#options.store.close?.();
  }

  /** R3: writes, looks, and judges. Throws LockUnknown when nobody can say. */
  async #beat(life: Life): Promise<Beaten & { scene: Scene }> {
    const t0_ns = this.#options.time.now_ns();
    if (t0_ns >= life.chain_ns) this.#end(life, unheard);
    if (life.ended !== null) throw this.#observer.unknown(life.ended);
    life.seq += 1;
    const { seq } = life;
    const scene = await this.#observer.look([write_of(beat_of(life))]);
    if (this.#observer.now_ns(scene) >= life.chain_ns) this.#end(life, unheard);
    const flaw = end_of(life) ?? this.#flaw(life, seq, scene);
    if (flaw !== null) return { proof: null, flaw, scene };
    life.chain_ns = t0_ns + ms_to_ns(life.tv_ms);
    this.#watch_end(life);
    return { proof: { t0_ns, bound_ms: life.tv_ms }, flaw: null, scene };
  }

  #flaw(life: Life, seq: number, scene: Scene): string | null {
    const flaw = flaw_of_beat(life, seq, scene);
    // A read that is torn says nothing; only what isn't there, or is another's.
    const there = scene.claims.get(life.claim);
    const is_ours = there && (there.value === null || there.value.instance === life.instance);
    life.claim_missing_ns = is_ours === true ? null : (life.claim_missing_ns ?? scene.start_ns);
    // A view may be as old as A; what is missing for longer was removed.
    const missing_ns = life.claim_missing_ns === null ? -1n : scene.end_ns - life.claim_missing_ns;
    const removed = missing_ns > ms_to_ns(2 * this.#options.view_age_ms);
    if (flaw && (flaw.final || removed)) this.#end(life, flaw.because);
    return flaw?.because ?? null;
  }

  /** R8, while its beats count: what nobody needs any more goes. Nothing waits for it. */
  async #sweep(life: Life, scene: Scene): Promise<void> {
    const { sightings, litter } = this.#observer;
    const { claims, beats } = sweepable(life, scene, sightings);
    // Claims first: a beat goes only when a later look has shown that none names it.
    const names = claims.length > 0 ? claims.map(name_of.claim) : beats.map(name_of.beat);
    names.push(...litter.older_than(3n * silence_ns(life.tv_ms), scene));
    if (names.length === 0) return;
    await this.#in_turn(async () => {
      if (this.#life !== life || life.ended !== null) return;
      await this.#observer.look(names.map((name): Write => ({ do: "unlink", name })));
    }).catch(() => {});
  }

  /** R1. */
  #end(life: Life, because: string): void {
    end(life, because);
    if (this.#life === life) this.#cancel_end();
  }
  /** R3: a passed chain deadline ends the instance, whether anybody asks or not. */
  #watch_end(life: Life): void {
    const { time, on_ended } = this.#options;
    this.#cancel_end();
    if (this.#life !== life || life.state !== "running") return;
    this.#cancel_end = time.after(Math.max(1, ms_between(time.now_ns(), life.chain_ns)), () => {
      if (this.#life !== life || life.ended !== null) return;
      if (time.now_ns() < life.chain_ns) return this.#watch_end(life);
      this.#end(life, unheard);
      on_ended(`the volume lease has ended: ${unheard}`);
    });
  }

  #poll_ms(): number {
    return Math.min(poll_most_ms, this.#options.ttl_ms / polls_in_lease);
  }
  /** Until the look may begin, or somebody else may have ended; never without a beat of our own for long. */
  #pause(life: Life, { instance, in_ns }: Extract<Verdict, { kind: "wait" }>): Promise<void> {
    const most_ms = instance === life.instance ? life.tv_ms / beats_in_lease : this.#poll_ms();
    const delay_ms = Math.min(most_ms, Math.max(1, Number(in_ns) / 1e6));
    return new Promise((resolve) => void this.#options.time.after(delay_ms, resolve));
  }
  #in_turn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => {});
    return mine;
  }
}

function refused(because: string, holder: LockRecord | null): Refused {
  return { kind: "refused", because, holder };
}
