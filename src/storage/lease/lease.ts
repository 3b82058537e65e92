// The volume lease of one contender: docs/volume-lease.md is the protocol, rules.ts and sightings.ts judge, this file acts.
// Not promised here: that the app is dead in time. Every proof has its end, and the guard keeps it.
// Long because the life of one instance is told in one place.

import type { Proof } from "../../core/lease.ts";
import { type Identity, type LockRecord, record_format } from "../../core/record.ts";
import { ms_between, ms_to_ns, type Time } from "../../core/time.ts";
import { LockRefused, LockUnknown } from "../../errors.ts";
import {
  type Beat,
  encode_beat,
  encode_claim,
  encode_standby,
  type Mode,
  name_of,
  type Standby,
} from "./format.ts";
import {
  flaw_of_beat,
  look_from_ns,
  type Own,
  sweepable,
  unreadable_claim,
  type Verdict,
  verdict_of_look,
} from "./rules.ts";
import { highest_claim, read_scene, record_of, type Scene } from "./scene.ts";
import { Litter } from "./litter.ts";
import { silence_ns, Sightings } from "./sightings.ts";
import type { VolumeStore, Write } from "./store.ts";

export type VolumeLeaseOptions = {
  store: VolumeStore;
  time: Time;
  /** The volume's path, for people. */
  path: string;
  identity: Identity;
  ttl_ms: number;
  /** What volume.json has to say; null: whatever it says at the first look. */
  volume_id: string | null;
  /** A: the greatest age of what a read of this volume shows. */
  view_age_ms: number;
  mode: Mode;
  /** R9: survive one rollback of the volume; every take-over then waits for a whole lease. */
  paranoid?: boolean;
  /** Lies beside the lock for `status`. */
  register?: boolean;
  /** Unasked, once an instance: it has ended, though nobody ended it. */
  on_ended: (because: string) => void;
  on_note?: (sentence: string) => void;
  /** [0, 1) and uuids; the simulator's come from its seed. */
  random: () => number;
  uuid: () => string;
};

/** What a standby knows. holder: who seems to live; null: nobody, or nobody can say who. */
export type Observation = { silent: boolean; holder: LockRecord | null; in_ms: number; scene: Scene };

export type Acquired = {
  kind: "acquired";
  claim: bigint;
  proof: Proof;
  previous: LockRecord | null;
  previous_seen_ns: bigint | null;
};
/** incumbent: somebody else lives, and the lock is to be given back to whoever that is. */
export type Refused = { kind: "refused"; because: string; holder: LockRecord | null };

/** R5.2: the lock that allows the claim. */
export type OuterLock = { token: bigint | null; is_live: () => boolean };

/** R1: one instance, one claim, one life. */
type Life = {
  readonly instance: string;
  readonly claim: bigint;
  readonly tv_ms: number;
  readonly volume_id: string;
  readonly lock_token: bigint | null;
  readonly self: LockRecord;
  seq: number;
  state: "claiming" | "running";
  record: LockRecord | null;
  /** Once it has passed, the instance has ended: the last counting beat's end. */
  chain_ns: bigint;
  /** Since when the own claim hasn't been seen; null: it was there. */
  claim_missing_ns: bigint | null;
  ended: string | null;
};

/** Fractions of a lease. */
const beats_in_lease = 6;
const poll_most_ms = 500;
const look_most_ms = 3000;
const polls_in_lease = 40;
/** A file that can't be used is told of when it was seen so often in a row. */
const unusable_noted = 10;

export class VolumeLease {
  readonly #options: VolumeLeaseOptions;
  readonly #own = new Set<string>();
  readonly #sightings: Sightings;
  readonly #litter = new Litter();
  /** `released` that has to be written still: of instances that are dead, or never started anything. */
  readonly #owed = new Map<string, Buffer>();
  #life: Life | null = null;
  #volume_id: string | null;
  #highest = 0n;
  #back_off_until_ns = 0n;
  /** When the registration was written last; null: it isn't there. */
  #registered_ns: bigint | null = null;
  /** How often in a row a file could not be used. */
  readonly #unusable = new Map<string, number>();
  #cancel_end: () => void = () => {};
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: VolumeLeaseOptions) {
    this.#options = options;
    this.#volume_id = options.volume_id;
    this.#sightings = new Sightings(options.view_age_ms, this.#own);
  }

  /** Why the instance at hand has ended; null: it hasn't, or there is none. */
  get ended(): string | null {
    return this.#life?.ended ?? null;
  }
  get claim(): bigint | null {
    return this.#life?.claim ?? null;
  }

  /** A look as a standby. It is called all the time, so that a take-over need not begin to wait when the lock comes free. */
  observe(): Promise<Observation> {
    return this.#in_turn(async () => this.#observation(await this.#stand_by()));
  }
  async #stand_by(): Promise<Scene> {
    const scene = await this.#pass(this.#registration());
    // Whose volume it is was not known before the first look.
    return this.#registration().length === 0 ? scene : this.#pass(this.#registration());
  }

  /** Who is there, the one that holds the volume first, and the record beside the lock. */
  look(): Promise<{ living: Beat[]; record: LockRecord | null; standbys: Standby[] }> {
    return this.#in_turn(async () => {
      const scene = await this.#pass([]);
      const life = this.#life?.ended === null ? this.#life : null;
      const lives = ({ instance, state }: Beat): boolean =>
        state !== "released" && (instance === life?.instance || !this.#sightings.is_silent(instance));
      const beats = [...scene.beats.values()].flatMap(({ value }) => (value && lives(value) ? [value] : []));
      return {
        living: beats.toSorted((a, b) => (a.claim < b.claim ? 1 : -1)),
        record: record_of(scene),
        standbys: [...scene.standbys.values()].flatMap(({ value }) => value ?? []),
      };
    });
  }

  /** R5. Called only when nothing of an earlier app of ours is alive. */
  acquire(lock: OuterLock = { token: null, is_live: () => true }): Promise<Acquired | Refused> {
    return this.#in_turn(() => this.#acquire(lock));
  }

  async #acquire(lock: OuterLock): Promise<Acquired | Refused> {
    this.#end_life("another attempt begins");
    this.#life = null;
    // R5.1 and R5.2: all others are silent, and the claims are listed once more with the lock in hand.
    const before = await this.#stand_by();
    const observed = this.#observation(before);
    if (!observed.silent) return refused("another instance shows life", observed.holder);
    const claimed = await this.#claim(before, lock);
    if ("kind" in claimed) return claimed;
    const { life, look_ns } = claimed;
    try {
      let { scene } = claimed;
      for (;;) {
        const verdict = this.#verdict(life, lock, scene, look_ns);
        if (verdict.kind === "withdraw") return await this.#withdraw(life, verdict.because);
        if (verdict.kind === "start") break;
        await this.#pause(life, verdict);
        scene = (await this.#beat(life)).scene;
      }
      return await this.#open(life, scene);
    } catch (error) {
      // R7: it never started anything, and never will.
      this.#owe_release(life, life.record, false);
      throw error;
    }
  }

  /** R5.3. */
  async #claim(
    before: Scene,
    { token }: OuterLock,
  ): Promise<Refused | { life: Life; look_ns: bigint; scene: Scene }> {
    const { time, uuid, view_age_ms, paranoid = false } = this.#options;
    const instance = uuid();
    const claim = this.#highest + 1n;
    const tv_ms = before.identity?.tv_ms ?? this.#options.ttl_ms;
    const self = this.#self(claim, tv_ms);
    const record = record_of(before);
    const life: Life = {
      ...{ instance, claim, tv_ms, self, record, lock_token: token, volume_id: this.#volume_id ?? "" },
      ...{ seq: 1, state: "claiming", claim_missing_ns: null, ended: null },
      // R3: the first chain deadline counts from the start of sending the claim.
      chain_ns: time.now_ns() + ms_to_ns(tv_ms),
    };
    this.#own.add(instance);
    this.#life = life;
    const content = encode_claim({ claim, instance, tv_ms, lock_token: token, self, record });
    const temporary = name_of.temporary(instance);
    let claimed_ns: bigint;
    let scene: Scene;
    try {
      const answer = await this.#options.store.pass([
        { do: "create", name: name_of.claim(claim), temporary, content },
        { do: "create", name: name_of.beat(instance), temporary, content: encode_beat(this.#content(life)) },
      ]);
      if ("exists" in answer) {
        // By us, if its answer was lost on the way. Then its first beat is still to be written.
        scene = await this.#pass([]);
        if (scene.claims.get(claim)?.value?.instance !== instance) {
          life.ended = "another made the claim first";
          return refused(`somebody else made the claim ${claim} first`, this.#observation(scene).holder);
        }
        claimed_ns = scene.end_ns;
        this.#sightings.forget_missing();
      } else {
        const [made_ns] = answer.written_ns;
        claimed_ns = made_ns ?? answer.view.end_ns;
        // R4: what was missing before our claim was acknowledged counts from now.
        this.#sightings.forget_missing();
        scene = this.#see(read_scene(answer.view));
      }
    } catch (error) {
      // The claim may be there, or come there later. It binds nobody once its instance says `released`.
      this.#owe_release(life, record, false);
      throw error;
    }
    const timing = { tv_ms, view_age_ms, paranoid };
    const all = before.claims.size === 0;
    return { life, look_ns: look_from_ns(claimed_ns, timing, all), scene };
  }

  /** R5.4. */
  #verdict(life: Life, { is_live }: OuterLock, scene: Scene, look_ns: bigint): Verdict {
    if (life.ended !== null) return { kind: "withdraw", because: life.ended };
    if (!is_live()) return { kind: "withdraw", because: "its lock can't be proved any more" };
    // A read that was begun before is none of the look's.
    if (scene.start_ns < look_ns)
      return { kind: "wait", instance: life.instance, in_ns: look_ns - scene.start_ns };
    return verdict_of_look(own_of(life), scene, this.#sightings);
  }

  /** R5.5: one more beat, begun after the look, has to count. */
  async #open(life: Life, look: Scene): Promise<Acquired | Refused> {
    const previous = record_of(look);
    life.state = "running";
    life.record = previous === null || previous.state === "clean" ? life.self : previous;
    const { proof, flaw } = await this.#beat(life);
    if (!proof) return this.#withdraw(life, flaw ?? "its beat did not count");
    return {
      kind: "acquired",
      claim: life.claim,
      proof,
      previous,
      previous_seen_ns: this.#previous_seen(previous, look),
    };
  }

  /** R5.4: it has come to nothing. It never started anything, so it may say so at once; then others come first for a while. */
  async #withdraw(life: Life, because: string): Promise<Refused> {
    const { time, random } = this.#options;
    this.#owe_release(life, life.record, false);
    this.#back_off_until_ns = time.now_ns() + ms_to_ns(this.#poll_ms() * (1 + 4 * random()));
    const scene = await this.#pass([]);
    return refused(because, this.#observation(scene).holder);
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
      throw this.#unknown(flaw ?? "its beat did not count");
    });
  }

  /** The record beside the lock becomes ours. LockUnknown: it may not be. */
  mark(): Promise<void> {
    const life = this.#life;
    return this.#in_turn(async () => {
      if (!life || life.ended !== null) throw this.#unknown("it isn't held");
      life.record = life.self;
      const { flaw } = await this.#beat(life);
      if (flaw !== null) throw this.#unknown(flaw);
    });
  }

  /** R7: called only when the app is dead, or was never started. state as-found: the record stays as it is. */
  release(state: "clean" | "unclean" | "as-found"): Promise<void> {
    const life = this.#life;
    return this.#in_turn(async () => {
      if (!life) return;
      const record: LockRecord | null = state === "as-found" ? life.record : { ...life.self, state };
      if (!this.#owed.has(life.instance)) this.#owe_release(life, record, true);
      await this.#pass([]);
      if (this.#life === life) this.#life = null;
    });
  }

  /** R7: what another process has to write, once the app is confirmed dead. null: there is nothing to release. */
  release_block(): { name: string; content: Buffer } | null {
    const life = this.#life;
    if (!life) return null;
    const marked = life.record === life.self;
    const record: LockRecord | null = marked ? { ...life.self, state: "clean" } : life.record;
    return { name: name_of.beat(life.instance), content: this.#released(life, record) };
  }

  /** How long until the next look of a standby is of use. heard: of changes it hears by itself. */
  next_look_ms({ in_ms }: Observation, heard: boolean): number {
    const back_off_ms = ms_between(this.#options.time.now_ns(), this.#back_off_until_ns);
    const most_ms = heard ? Math.min(look_most_ms, this.#options.ttl_ms / beats_in_lease) : this.#poll_ms();
    return Math.max(1, Math.min(most_ms, Math.max(in_ms, back_off_ms)));
  }

  /** Takes the registration back. What is held stays held until its time is over. */
  async close(): Promise<void> {
    this.#cancel_end();
    if (this.#registered_ns === null) return;
    const name = name_of.standby(this.#options.identity.instance);
    await this.#in_turn(() => this.#pass([{ do: "unlink", name }])).catch(() => {});
  }

  // ---- one beat, one pass ----

  /** R3: writes, looks, and judges. proof null: it doesn't count. Throws LockUnknown when nobody can say. */
  async #beat(life: Life): Promise<{ proof: Proof | null; flaw: string | null; scene: Scene }> {
    const { time } = this.#options;
    const t0_ns = time.now_ns();
    if (t0_ns >= life.chain_ns) this.#end(life, "no beat of its own has counted for a whole lease");
    if (life.ended !== null) throw this.#unknown(life.ended);
    life.seq += 1;
    const { seq } = life;
    const content = encode_beat(this.#content(life));
    const scene = await this.#pass([{ do: "write", name: name_of.beat(life.instance), content }]);
    // The probe's clock knows of a suspend before ours does.
    const now_ns = time.now_ns() > scene.end_ns ? time.now_ns() : scene.end_ns;
    if (now_ns >= life.chain_ns) this.#end(life, "no beat of its own has counted for a whole lease");
    const flaw = end_of(life) ?? this.#flaw(life, seq, scene);
    if (flaw !== null) return { proof: null, flaw, scene };
    const proof = { t0_ns, bound_ms: life.tv_ms };
    life.chain_ns = t0_ns + ms_to_ns(life.tv_ms);
    this.#watch_end(life);
    return { proof, flaw: null, scene };
  }

  #flaw(life: Life, seq: number, scene: Scene): string | null {
    const flaw = flaw_of_beat(own_of(life), seq, scene);
    // A read that is torn says nothing; only what isn't there, or is another's.
    const there = scene.claims.get(life.claim);
    if (there && (there.value === null || there.value.instance === life.instance))
      life.claim_missing_ns = null;
    else life.claim_missing_ns ??= scene.start_ns;
    // A view may be as old as A; what is missing for longer was removed.
    const { view_age_ms } = this.#options;
    const removed =
      life.claim_missing_ns !== null && scene.end_ns - life.claim_missing_ns > ms_to_ns(2 * view_age_ms);
    if (flaw && (flaw.final || removed)) this.#end(life, flaw.because);
    return flaw?.because ?? null;
  }

  /** A look, after what is owed and these writes. */
  async #pass(writes: readonly Write[]): Promise<Scene> {
    const owed = [...this.#owed];
    const answer = await this.#options.store.pass([
      ...owed.map(([instance, content]): Write => ({ do: "write", name: name_of.beat(instance), content })),
      ...writes,
    ]);
    if ("exists" in answer) throw this.#unknown(`${answer.exists} is there already`);
    for (const [instance] of owed) this.#owed.delete(instance);
    const scene = this.#see(read_scene(answer.view));
    if (writes.some(({ name }) => name === name_of.standby(this.#options.identity.instance)))
      this.#registered_ns = scene.end_ns;
    return scene;
  }

  #see(scene: Scene): Scene {
    const { path } = this.#options;
    const id = scene.identity?.id;
    if (this.#volume_id === null) {
      if (id === undefined)
        throw new LockRefused(
          `${path} isn't labelled as a volume of leasehold`,
          path,
          `mount the right one, or label it: leasehold volume init ${path}`,
        );
      this.#volume_id = id;
    }
    // Another volume's files say nothing about this one's.
    if (id !== this.#volume_id)
      throw this.#unknown(`another volume lies there (${id ?? "without an id"}), not ${this.#volume_id}`);
    this.#sightings.see(scene);
    this.#litter.see(scene);
    this.#note_unusable(scene);
    const highest = highest_claim(scene);
    if (highest > this.#highest) this.#highest = highest;
    return scene;
  }

  /** R5.1, for a standby: whether everybody else seems silent. The missing count from their first sight here; the look is stricter. */
  #observation(scene: Scene): Observation {
    const { time } = this.#options;
    let in_ns: bigint | null = 0n;
    let living: string | null = null;
    for (const instance of this.#sightings.instances) {
      const left_ns = this.#sightings.silent_in_ns(instance);
      if (left_ns !== null && left_ns <= 0n) continue;
      const n = scene.beats.get(instance)?.value?.claim ?? 0n;
      if (living === null || n > (scene.beats.get(living)?.value?.claim ?? 0n)) living = instance;
      if (in_ns !== null) in_ns = left_ns === null || left_ns > in_ns ? left_ns : in_ns;
    }
    const backed_off = time.now_ns() >= this.#back_off_until_ns;
    return {
      silent: living === null && backed_off && unreadable_claim(scene) === null,
      holder: living === null ? null : (scene.beats.get(living)?.value?.self ?? null),
      in_ms: in_ns === null ? Infinity : Number(in_ns) / 1e6,
      scene,
    };
  }

  /** R8, while its beats count: what nobody needs any more goes. Nothing waits for it. */
  async #sweep(life: Life, scene: Scene): Promise<void> {
    const { claims, beats } = sweepable(own_of(life), scene, this.#sightings);
    // Claims first: a beat goes only when a later look has shown that none names it.
    const names = claims.length > 0 ? claims.map(name_of.claim) : beats.map(name_of.beat);
    names.push(...this.#litter.older_than(3n * silence_ns(life.tv_ms), scene));
    if (names.length === 0) return;
    await this.#in_turn(async () => {
      if (this.#life !== life || life.ended !== null) return;
      await this.#pass(names.map((name): Write => ({ do: "unlink", name })));
    }).catch(() => {});
  }

  // ---- the end of an instance ----

  /** R1: ended is final. */
  #end_life(because: string): void {
    const life = this.#life;
    if (life) life.ended ??= because;
    this.#cancel_end();
  }
  #end(life: Life, because: string): void {
    life.ended ??= because;
    if (this.#life === life) this.#cancel_end();
  }
  /** R3: a passed chain deadline ends the instance, whoever asks. */
  #watch_end(life: Life): void {
    const { time, on_ended } = this.#options;
    this.#cancel_end();
    if (this.#life !== life || life.state !== "running") return;
    this.#cancel_end = time.after(Math.max(1, ms_between(time.now_ns(), life.chain_ns)), () => {
      if (this.#life !== life || life.ended !== null) return;
      if (time.now_ns() < life.chain_ns) return this.#watch_end(life);
      this.#end(life, "no beat of its own has counted for a whole lease");
      on_ended("the volume lease has ended: no beat has counted for its whole length");
    });
  }
  /** R7. */
  #owe_release(life: Life, record: LockRecord | null, ran: boolean): void {
    this.#end(life, "it was released");
    this.#owed.set(life.instance, this.#released({ ...life, state: ran ? life.state : "claiming" }, record));
  }

  // ---- what is written ----

  #content(life: Life): Beat {
    const { instance, claim, seq, state, tv_ms, self, record } = life;
    return {
      ...{ instance, claim, seq, state, tv_ms, self, record },
      ran: state === "running",
      mode: this.#options.mode,
    };
  }
  /** The same at any time: the release record doesn't change with each beat. */
  #released(life: Life, record: LockRecord | null): Buffer {
    return encode_beat({ ...this.#content(life), seq: 0, state: "released", record });
  }
  #self(claim: bigint, tv_ms: number): LockRecord {
    const { holder, instance, boot_id, address, volume_id } = this.#options.identity;
    return {
      ...{
        format: record_format,
        claim: String(claim),
        holder,
        instance,
        boot_id,
        address,
        state: "running",
      },
      ...{ volume_id: volume_id ?? this.#volume_id, ttl_ms: tv_ms, since: new Date().toISOString() },
    };
  }
  /** For `status`; written again once a lease, so that what crashed contenders left can be told from it. */
  #registration(): Write[] {
    const { register = true, identity, time, ttl_ms } = this.#options;
    const now_ns = time.now_ns();
    if (!register || this.#volume_id === null) return [];
    if (this.#registered_ns !== null && now_ns - this.#registered_ns < ms_to_ns(ttl_ms)) return [];
    const { instance, holder: node, address } = identity;
    const content = encode_standby({ instance, node, address, at: String(now_ns) });
    return [{ do: "write", name: name_of.standby(instance), content }];
  }

  // ---- small things ----

  #previous_seen(previous: LockRecord | null, scene: Scene): bigint | null {
    if (previous === null || previous.instance === this.#options.identity.instance) return null;
    const of = [...scene.beats.values()].find(({ value }) => value?.self.claim === previous.claim)?.value;
    return of ? this.#sightings.last_seen_ns(of.instance) : null;
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
  /** A torn read mends itself; what stays so is somebody's to look at. */
  #note_unusable({ beats, claims }: Scene): void {
    const all = [
      ...[...beats].map(([instance, { wrong }]) => [name_of.beat(instance), wrong] as const),
      ...[...claims].map(([n, { wrong }]) => [name_of.claim(n), wrong] as const),
    ];
    for (const [name, wrong] of all) {
      const times = wrong === null ? 0 : (this.#unusable.get(name) ?? 0) + 1;
      this.#unusable.set(name, times);
      if (times === unusable_noted)
        this.#options.on_note?.(
          `${this.#options.path}/.leasehold/${name} ${wrong}, and nobody is taken for silent because of it: ` +
            "if no leasehold that runs anywhere has written it, remove it",
        );
    }
  }
  #in_turn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => {});
    return mine;
  }
  #unknown(what: string): LockUnknown {
    return new LockUnknown(`the volume lease at ${this.#options.path}: ${what}`, what, "trying again");
  }
}

/** As it is now: it may have ended while something was waited for. */
function end_of({ ended }: Life): string | null {
  return ended;
}

function own_of({ instance, claim, volume_id }: Life): Own {
  return { instance, claim, volume_id };
}

function refused(because: string, holder: LockRecord | null): Refused {
  return { kind: "refused", because, holder };
}
