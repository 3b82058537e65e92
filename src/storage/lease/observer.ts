import type { Identity, LockRecord } from "../../core/record.ts";
import { ms_between, ms_to_ns, type Time } from "../../core/time.ts";
import { LockRefused, LockUnknown } from "../../errors.ts";
import { type Beat, encode_standby, name_of, type Standby } from "./format.ts";
import { write_of } from "./life.ts";
import { Litter } from "./litter.ts";
import { unreadable_claim } from "./rules.ts";
import { highest_claim, read_scene, record_of, type Scene } from "./scene.ts";
import { Sightings } from "./sightings.ts";
import type { Pass, VolumeStore, Write } from "./store.ts";

export type ObserverOptions = {
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
  /** Lies beside the lock for `status`. */
  register: boolean;
  on_note?: (sentence: string) => void;
};

/**
 * What a standby knows. silent: everybody else. holder: who seems to live; null: nobody, or nobody can say who. in_ms: how long
 * until a look may be the first that shows silence.
 */
export type Observation = { silent: boolean; holder: LockRecord | null; in_ms: number };

/** A file that can't be used is told of when it was seen so often in a row. */
const unusable_noted = 10;

/** One contender's eyes on the volume: every look of its goes through here, so that none is forgotten. */
export class Observer {
  readonly #options: ObserverOptions;
  readonly sightings: Sightings;
  readonly litter = new Litter();
  /** Instances of this process: it knows itself what became of them. */
  readonly own = new Set<string>();
  /** Beats that have to be written still, of instances that have ended. */
  readonly #owed = new Map<string, Beat>();
  #volume_id: string | null;
  #highest = 0n;
  #last: Scene | null = null;
  /** When the registration was written last; null: it isn't there. */
  #registered_ns: bigint | null = null;
  /** How often in a row a file could not be used. */
  readonly #unusable = new Map<string, number>();

  constructor(options: ObserverOptions) {
    this.#options = options;
    this.#volume_id = options.volume_id;
    this.sightings = new Sightings(options.view_age_ms, this.own);
  }

  /** null: it was not looked at yet. */
  get volume_id(): string | null {
    return this.#volume_id;
  }
  /** The greatest number that was ever seen of a claim. */
  get highest(): bigint {
    return this.#highest;
  }

  /** From the next look on, until it is written. */
  owe(beat: Beat): void {
    this.#owed.set(beat.instance, beat);
  }
  owes(instance: string): boolean {
    return this.#owed.has(instance);
  }

  /** A look, after what is owed and these writes. */
  async look(writes: readonly Write[]): Promise<Scene> {
    const owed = [...this.#owed.values()];
    const answer = await this.#options.store.pass([...owed.map(write_of), ...writes]);
    if ("exists" in answer) throw this.unknown(`${answer.exists} is there already`);
    for (const beat of owed) if (this.#owed.get(beat.instance) === beat) this.#owed.delete(beat.instance);
    return this.see(answer);
  }

  async stand_by(): Promise<Scene> {
    const scene = await this.#register();
    // Whose volume it is was not known before the first look.
    return this.#registration().length === 0 ? scene : this.#register();
  }
  async #register(): Promise<Scene> {
    const writes = this.#registration();
    const scene = await this.look(writes);
    if (writes.length > 0) this.#registered_ns = scene.end_ns;
    return scene;
  }
  /** For `status`; written again once a lease, so that what crashed contenders left can be told from it. */
  #registration(): Write[] {
    const { register, identity, time, ttl_ms } = this.#options;
    const now_ns = time.now_ns();
    if (!register || this.#volume_id === null) return [];
    if (this.#registered_ns !== null && now_ns - this.#registered_ns < ms_to_ns(ttl_ms)) return [];
    const { instance, holder: node, address } = identity;
    const content = encode_standby({ instance, node, address, at: String(now_ns) });
    return [{ do: "write", name: name_of.standby(instance), content }];
  }
  async take_registration_back(): Promise<void> {
    if (this.#registered_ns === null) return;
    await this.look([{ do: "unlink", name: name_of.standby(this.#options.identity.instance) }]);
  }

  /** What a pass has shown. Throws when it is another volume: its files say nothing about this one's. */
  see({ view }: Extract<Pass, { view: unknown }>): Scene {
    const { path } = this.#options;
    const scene = read_scene(view, this.#last);
    this.#last = scene;
    const id = scene.identity?.value?.id;
    if (this.#volume_id === null) {
      if (id === undefined)
        throw new LockRefused(
          `${path} isn't labelled as a volume of leasehold`,
          path,
          `mount the right one, or label it: leasehold volume init ${path}`,
        );
      this.#volume_id = id;
    }
    if (id !== this.#volume_id)
      throw this.unknown(`another volume lies there (${id ?? "without an id"}), not ${this.#volume_id}`);
    this.sightings.see(scene);
    this.litter.see(scene);
    this.#note_unusable(scene);
    const highest = highest_claim(scene);
    if (highest > this.#highest) this.#highest = highest;
    return scene;
  }

  /** R5.1, for a standby: whether everybody else seems silent. The missing count from their first sight here; the look is stricter. */
  observation(scene: Scene): Observation {
    let in_ns: bigint | null = 0n;
    let living: string | null = null;
    const number_of = (instance: string): bigint => scene.beats.get(instance)?.value?.claim ?? 0n;
    for (const instance of this.sightings.instances) {
      const left_ns = this.sightings.silent_in_ns(instance);
      if (left_ns !== null && left_ns <= 0n) continue;
      if (living === null || number_of(instance) > number_of(living)) living = instance;
      if (in_ns !== null) in_ns = left_ns === null || left_ns > in_ns ? left_ns : in_ns;
    }
    return {
      silent: living === null && unreadable_claim(scene) === null,
      holder: living === null ? null : (scene.beats.get(living)?.value?.self ?? null),
      in_ms: in_ns === null ? Infinity : Number(in_ns) / 1e6,
    };
  }

  /** For people. living: who seems to, the greatest claim first. current: the instance that is ours and lives. */
  describe(
    scene: Scene,
    current: string | null,
  ): { living: Beat[]; record: LockRecord | null; standbys: Standby[] } {
    const lives = (beat: Beat): boolean =>
      !is_told_dead(beat) && (beat.instance === current || !this.sightings.is_silent(beat.instance));
    const beats = [...scene.beats.values()].flatMap(({ value }) => (value && lives(value) ? [value] : []));
    return {
      living: beats.toSorted((a, b) => (a.claim < b.claim ? 1 : -1)),
      record: record_of(scene),
      standbys: [...scene.standbys.values()].flatMap(({ value }) => value ?? []),
    };
  }

  /** No proof of that holder's was asked for after this; null: there was none, it was we, or it wasn't seen. */
  last_seen_ns(previous: LockRecord | null, scene: Scene): bigint | null {
    if (previous === null || previous.instance === this.#options.identity.instance) return null;
    const of = [...scene.beats.values()].find(({ value }) => value?.self.claim === previous.claim)?.value;
    return of ? this.sightings.last_seen_ns(of.instance) : null;
  }

  /** The clock that is ahead: the probe's knows of a suspend before ours does. */
  now_ns({ end_ns }: Scene): bigint {
    const now_ns = this.#options.time.now_ns();
    return ms_between(now_ns, end_ns) > 0 ? end_ns : now_ns;
  }

  unknown(what: string): LockUnknown {
    return new LockUnknown(`the volume lease at ${this.#options.path}: ${what}`, what, "trying again");
  }

  /** A torn read mends itself; what stays so is somebody's to look at. */
  #note_unusable({ beats, claims }: Scene): void {
    const names = new Map<string, string>();
    for (const [instance, { wrong }] of beats)
      if (wrong !== null && this.sightings.is_hopeless(instance)) names.set(name_of.beat(instance), wrong);
    for (const [n, { wrong }] of claims) if (wrong !== null) names.set(name_of.claim(n), wrong);
    for (const name of this.#unusable.keys()) if (!names.has(name)) this.#unusable.delete(name);
    for (const [name, wrong] of names) {
      const times = (this.#unusable.get(name) ?? 0) + 1;
      this.#unusable.set(name, times);
      if (times === unusable_noted)
        this.#options.on_note?.(
          `${this.#options.path}/.leasehold/${name} ${wrong}, and nobody is taken for silent because of it: ` +
            "if no leasehold that runs anywhere has written it, remove it",
        );
    }
  }
}

/** It says so itself, be it `released` or not. */
function is_told_dead({ state, self, record }: Beat): boolean {
  return state === "released" || (record?.claim === self.claim && record.state !== "running");
}
