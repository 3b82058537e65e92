// A volume as the lease meets it: writes that are late, that are done after their writer was killed, or whose answer is lost; reads
// that are torn, and as old as A; machines that are cut off from it; an operator that removes files; a rollback.

import { LockUnknown } from "../../src/errors.ts";
import { encode_identity } from "../../src/storage/identity.ts";
import { first_claim, parse_name } from "../../src/storage/lease/format.ts";
import type { File, Pass, View, VolumeStore, Write } from "../../src/storage/lease/store.ts";
import type { Machine } from "./machine.ts";
import type { World } from "./world.ts";

/** content null: it was removed then. by: the machine that wrote it. */
type Version = { at_ns: bigint; content: Buffer | null; by: Machine | null };
type Trouble = "hung" | "slow" | "torn";

export type VolumeOptions = {
  view_age_ms: number;
  tv_ms: number;
  /** How long a pass may take until its job is killed. */
  limit_ms: number;
  is_cut: (machine: Machine) => boolean;
};

export const volume_id = "11111111-2222-4333-8444-555555555555";

export class ModelVolume {
  readonly #world: World;
  readonly #options: VolumeOptions;
  readonly #files = new Map<string, Version[]>();
  readonly #trouble = { hung: 0, slow: 0, torn: 0 };
  readonly #watchers = new Set<() => void>();
  readonly #cached: boolean;
  readonly #looked_up = new Map<string, bigint>();

  constructor(world: World, options: VolumeOptions) {
    this.#world = world;
    this.#options = options;
    this.#cached = world.random.chance(0.7);
    const { name, content } = first_claim(0n, options.tv_ms);
    this.#put(name, content);
    this.label(options.tv_ms);
    // They are old enough for every view.
    const at_ns = -to_ns(options.view_age_ms);
    for (const versions of this.#files.values()) for (const version of versions) version.at_ns = at_ns;
  }
  /** volume.json, which says how long a lease is. */
  label(tv_ms: number): void {
    const created = new Date(0).toISOString();
    this.#put(
      "volume.json",
      encode_identity({ id: volume_id, label: null, created, tv_ms, directory: true }),
    );
  }

  /** For one life of a controller. */
  store(machine: Machine): VolumeStore {
    const { clock, controller } = machine;
    return {
      pass: (writes) =>
        new Promise((resolve, reject) => {
          const job = { over: false };
          const end = (settle: () => void): void => {
            job.over = true;
            controller.run(settle);
          };
          clock.after(this.#options.limit_ms, () => {
            if (!job.over) end(() => reject(new LockUnknown("no answer", "", "trying again")));
          });
          this.#write(machine, job, writes, [], (pass) => end(() => resolve(pass)));
        }),
    };
  }

  /** The writes from here on, one after the other; then the look. Each needs the machine to run, and what is under way may come later. */
  #write(
    machine: Machine,
    job: { over: boolean },
    [write, ...rest]: readonly Write[],
    written_ns: bigint[],
    done: (pass: Pass) => void,
  ): void {
    const { clock } = machine;
    clock.after(this.#delay_ms(), () => {
      if (!write)
        return job.over ? undefined : this.#look(machine, job, (view) => done({ written_ns, view }));
      if (job.over || this.#is_blocked(machine)) return this.#may_land(machine, write, job.over ? 0.5 : 0.2);
      if (!this.#land(machine, write)) return done({ exists: write.name });
      this.#write(machine, job, rest, [...written_ns, clock.now_ns()], done);
    });
  }
  /** Its writer doesn't hear of it, or is dead. */
  #may_land(machine: Machine, write: Write, probability: number): void {
    const { random } = this.#world;
    if (random.chance(probability))
      this.#world.after(random.pick([5, 500, 40_000]) * random.next(), () => void this.#land(machine, write));
  }
  /** false: what was to be created is there. */
  #land(machine: Machine, write: Write): boolean {
    if (write.do === "create" && this.#now(write.name)) return false;
    this.#put(write.name, write.do === "unlink" ? null : write.content, machine);
    return true;
  }

  /** First the names, then what is in them. */
  #look(machine: Machine, job: { over: boolean }, done: (view: View) => void): void {
    const { clock } = machine;
    const start_ns = clock.now_ns();
    const names = [...this.#files.keys()].filter((name) => this.#as_seen(machine, name) !== null);
    const read = (): void => {
      if (job.over || this.#is_blocked(machine)) return;
      const files = names.map((name): File => {
        const content = this.#as_seen(machine, name);
        if (content === null) return { name, error: "ENOENT", content: Buffer.alloc(0) };
        return { name, error: undefined, content: this.#torn(content) };
      });
      done({ start_ns, end_ns: clock.now_ns(), files });
    };
    // Mostly quick enough for nothing to happen in between.
    if (this.#world.random.chance(0.6)) read();
    else clock.after(this.#delay_ms(), read);
  }
  #torn(content: Buffer): Buffer {
    const { random } = this.#world;
    if (this.#trouble.torn === 0 || random.chance(0.8)) return content;
    return random.chance(0.2)
      ? Buffer.alloc(0)
      : Buffer.concat([content.subarray(0, 60), Buffer.from("}\n")]);
  }
  /** Some state of it that is not older than A, each time another; nor older than what this machine wrote there itself. */
  #as_seen(machine: Machine, name: string): Buffer | null {
    const { now_ns } = this.#world;
    const at_ns =
      this.#options.view_age_ms === 0 ? now_ns : this.#cached ? this.#cache(machine, name) : this.#any();
    const versions = this.#files.get(name) ?? [];
    const seen = versions.findLastIndex((version) => version.at_ns <= at_ns);
    const own = versions.findLastIndex(({ by }) => by === machine);
    return versions[Math.max(seen, own)]?.content ?? null;
  }
  /** Any moment since A ago. */
  #any(): bigint {
    const { random, now_ns } = this.#world;
    const { view_age_ms } = this.#options;
    return now_ns - to_ns(random.pick([0, view_age_ms, random.between(0, view_age_ms)]));
  }
  /** As an attribute cache does: what was looked up counts for A. */
  #cache({ name: machine }: Machine, name: string): bigint {
    const { now_ns } = this.#world;
    const key = `${machine} ${name}`;
    const at_ns = this.#looked_up.get(key);
    if (at_ns !== undefined && now_ns - at_ns <= to_ns(this.#options.view_age_ms)) return at_ns;
    this.#looked_up.set(key, now_ns);
    return now_ns;
  }
  #now(name: string): Buffer | null {
    return this.#files.get(name)?.at(-1)?.content ?? null;
  }
  #put(name: string, content: Buffer | null, by: Machine | null = null): void {
    const { now_ns } = this.#world;
    // The zeros at a file's end are not read.
    const end = content && content.length > 4000 ? content.indexOf(0) : -1;
    const version = { at_ns: now_ns, content: content && end > 0 ? content.subarray(0, end) : content, by };
    const old_ns = now_ns - to_ns(this.#options.view_age_ms);
    const versions = this.#files.get(name) ?? [];
    const first = versions.findLastIndex(({ at_ns }) => at_ns <= old_ns);
    this.#files.set(name, [...versions.slice(Math.max(0, first)), version]);
    for (const told of [...this.#watchers]) told();
  }

  #is_blocked(machine: Machine): boolean {
    return this.#options.is_cut(machine) || this.#trouble.hung > 0;
  }
  #delay_ms(): number {
    const { random } = this.#world;
    const slow = this.#trouble.slow > 0 && random.chance(0.3);
    return random.between(0.2, 5) + (slow ? random.between(0, 1.5 * this.#options.limit_ms) : 0);
  }

  // ---- what happens to it ----

  /** A machine's inotify, if there is any. Returns what takes it back. */
  watch(told: () => void): () => void {
    this.#watchers.add(told);
    return () => void this.#watchers.delete(told);
  }
  /** By a process that is not a controller: the release program. */
  write(machine: Machine, name: string, content: Buffer): void {
    const write: Write = { do: "write", name, content };
    if (this.#is_blocked(machine)) this.#may_land(machine, write, 0.2);
    else this.#world.after(this.#delay_ms(), () => void this.#land(machine, write));
  }
  for_a_while(what: Trouble, for_ms: number): void {
    this.#trouble[what]++;
    this.#world.after(for_ms, () => this.#trouble[what]--);
  }
  /** The operator removes what this accepts. */
  remove(matches: (name: string) => boolean): void {
    for (const name of this.#files.keys())
      if (name !== "volume.json" && this.#now(name) && matches(name)) this.#put(name, null);
  }
  names(kind: "beat" | "claim"): string[] {
    return [...this.#files.keys()].filter(
      (name) => this.#now(name) !== null && parse_name(name)?.kind === kind,
    );
  }
  snapshot(): () => void {
    const then = new Map([...this.#files.keys()].map((name) => [name, this.#now(name)]));
    return () => {
      for (const name of this.#files.keys()) this.#put(name, then.get(name) ?? null);
    };
  }
}

function to_ns(duration_ms: number): bigint {
  return BigInt(Math.ceil(duration_ms * 1e6));
}
