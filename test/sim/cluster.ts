// All machines, and what must hold for them together.

import type { Effect } from "../../src/core/effect.ts";
import type { Event } from "../../src/core/event.ts";
import type { Rules, State } from "../../src/core/state.ts";
import { end_of } from "../../src/core/lease.ts";
import { ms, type Timing } from "../../src/core/timing.ts";
import type { Lock, LockOptions } from "../../src/lock/lock.ts";
import type { ServiceFaults } from "./faults.ts";
import type { AppPlan } from "./guard.ts";
import { Machine } from "./machine.ts";
import { Clock, type World } from "./world.ts";

/** The lock service under test, seen from one machine's controller. */
export type Backend = {
  lock: (options: LockOptions, machine: Machine) => Lock;
  /** What the release program does, from this machine. */
  release: (record: string, machine: Machine) => void;
  /** Calls back whenever the lock service itself ends a tenure, because its time is over; where the model tells. */
  on_expiry?: (told: () => void) => void;
};

/** A backend whose lock service is a model, with the faults that it knows. */
export type ModelBackend = Backend & {
  faults: ServiceFaults;
  /** An operator deletes the key. */
  delete: () => void;
  /** Of which token the key is, where the model tells. */
  token?: () => bigint;
};

/** What the seed has chosen of a run. */
export type Setting = {
  timing: Timing;
  /** Short faults only. */
  gentle: boolean;
  /** There is a fence hook: what takes one may happen. */
  fenced: boolean;
  /** Nothing but the lock service is in trouble. */
  outage: boolean;
  /** The holder stands still, or sees no volume, for just less than a lease, again and again; and views are old. */
  close: boolean;
};

export type Plans = {
  app: () => AppPlan;
  /** A hook's time and failure. late_ms: how long the controller stands still just then. */
  hook: () => { takes_ms: number; failure: string | null; late_ms: number };
  drain: () => { takes_ms: number; failure: string | null };
  /** When the app is ready after its start, and when after that it is not, for a second. Infinity: never. */
  ready: () => { after_ms: number; unready_after_ms: number };
  /** How long an order waits for a guard that gets no processor. */
  order_ms: () => number;
};

/** What went wrong, at which time. */
export class Violation extends Error {}

export class Cluster {
  readonly world: World;
  readonly rules: Rules;
  readonly backend: Backend;
  readonly plans: Plans;
  readonly machines: Machine[];
  readonly log: string[] = [];
  instances = 0;
  starts = 0;
  /** When something of an app was seen last. */
  last_alive_ms = 0;
  #last_token = 0n;
  /** The instance that started an app last. */
  #last_starter = "";
  #failure: string | null = null;
  readonly #deleted = new Set<bigint>();
  #tells_tokens = false;

  constructor(world: World, machines: number, rules: Rules, backend: Backend, plans: Plans) {
    this.world = world;
    this.rules = rules;
    this.backend = backend;
    this.plans = plans;
    backend.on_expiry?.(() => this.#expired());
    this.machines = Array.from({ length: machines }, (_, i) => {
      const rate = world.random.between(-4e-4, 4e-4);
      return new Machine(this, `m${i}`, new Clock(world, rate, BigInt(world.random.integer(1e9)) * 1_000n));
    });
  }

  note(machine: Machine | null, sentence: string): void {
    // The one thing that a seed doesn't decide: when, by the real clock, somebody took the lock.
    const what = sentence.replace(/ since \d{4}-[\d-]+T[\d:.]+Z/, "");
    this.log.push(`${ms(Number(this.world.now_ns) / 1e6).padStart(9)}  ${machine?.name ?? "  "}  ${what}`);
  }
  fail(what: string): void {
    this.#failure ??= what;
  }

  /** After every event. */
  check(): void {
    if (this.#failure !== null) throw new Violation(this.#failure);
    if (this.machines.some(({ guard }) => guard.alive)) this.last_alive_ms = Number(this.world.now_ns) / 1e6;
    const running = this.machines.filter((machine) => machine.runs);
    if (running.length > 1)
      throw new Violation(`two apps at the same time: on ${running.map(({ name }) => name).join(" and ")}`);
    for (const machine of running) {
      const { deadline_ns } = machine.guard;
      const due_ns = deadline_ns > machine.thawed_ns ? deadline_ns : machine.thawed_ns;
      const late_ms =
        machine.clock.now_ns() > deadline_ns ? Number(machine.clock.now_ns() - due_ns) / 1e6 : 0;
      const closed = machine.guard.deadline_ns === 0n; // by an order to kill, which is under way
      if (!closed && late_ms > this.rules.timing.margin_ms && !machine.guard.undead)
        throw new Violation(`the app on ${machine.name} runs ${ms(late_ms)} after its deadline`);
    }
  }

  started(machine: Machine, token: bigint): void {
    this.starts++;
    machine.dirty = true;
    this.note(machine, `the app is started, token ${token}`);
    // In its own tenure an app may be started again.
    const again = token === this.#last_token && this.#last_starter === machine.instance;
    if (token <= this.#last_token && !again) this.fail(`token ${token} after ${this.#last_token}`);
    this.#last_token = token;
    this.#last_starter = machine.instance;
  }

  stepped(machine: Machine, before: State, event: Event, after: State, effects: Effect[]): void {
    for (const effect of effects)
      if (effect.do === "release") machine.ends_unclean = effect.state === "unclean";
    if (effects.some((effect) => effect.do === "release") && machine.guard.alive)
      this.fail(`${machine.name} gives the lock back while its app is alive`);
    if (effects.some((effect) => effect.do === "release") && machine.dirty && this.rules.drains)
      this.fail(`${machine.name} gives the lock back before what its app wrote is flushed`);
    if ("tenure" in event) machine.answers = [...machine.answers.slice(-30), event];
    if ("tenure" in event && "tenure" in before && event.tenure !== before.tenure.id)
      if (!("tenure" in after) || after.tenure !== before.tenure || after.at !== before.at)
        this.fail(`${machine.name} takes a late answer (${event.type}) for one to the question at hand`);
    this.#proofs(machine, event, after);
    if (before.at === "running" && after.at === "stopping" && after.ending.why === "lease-lost") {
      machine.losses++;
      this.note(machine, `lost the lease after ${event.type}`);
    }
  }

  /** What a proof says holds: nobody else gets the lock before its end. Whether an app would have run is another matter. */
  #proofs(machine: Machine, event: Event, after: State): void {
    if (event.type === "taken") {
      machine.began_ns = event.proof.t0_ns;
      machine.token = event.token;
      // Its controller may have been stopped meanwhile, and its tenure have ended.
      const over = end_of(event.proof) <= machine.clock.now_ns() || this.#was_deleted(machine);
      for (const { name, proved_until_ns, clock } of over ? [] : this.machines) {
        const left_ms = Number(proved_until_ns - clock.now_ns()) / 1e6;
        if (proved_until_ns > 0n && left_ms > 0)
          this.fail(
            `${machine.name} got the lock although ${name} had proved that it is its own for another ${ms(left_ms)}`,
          );
      }
    }
    // Confirmed: what the lock service ends from now on is another tenure.
    if (event.type === "released") machine.proof_end_ns = 0n;
    if (!("tenure" in after) || !after.tenure.ours) return;
    const given_up = after.at === "releasing" || this.#was_deleted(machine);
    machine.proved_until_ns = given_up ? 0n : end_of(after.tenure.proof);
    if (!this.#was_deleted(machine)) machine.proof_end_ns = end_of(after.tenure.proof);
  }
  /** Its tenure, by an operator. A proof may have begun before there was a lock to delete. */
  #was_deleted({ token, began_ns, deleted_ns }: Machine): boolean {
    return this.#tells_tokens ? this.#deleted.has(token) : began_ns <= deleted_ns;
  }
  /** An operator has removed what the tokens are counted by, or put back an older state of it. */
  counter_lost(): void {
    this.#last_token = 0n;
    this.#void_proofs();
  }
  /** The lock service ended a tenure: not before the end of what it had proved. */
  #expired(): void {
    for (const { name, proof_end_ns, clock } of this.machines)
      if (proof_end_ns > clock.now_ns())
        this.fail(
          `the lock's time is over although ${name} had proved that it is its own for another ` +
            ms(Number(proof_end_ns - clock.now_ns()) / 1e6),
        );
  }
  /** By an operator: what was proved before is void. */
  delete_key(backend: ModelBackend): void {
    this.note(null, "an operator deletes the key");
    this.#void_proofs();
    const token = backend.token?.();
    if (token !== undefined) {
      this.#tells_tokens = true;
      this.#deleted.add(token);
    }
    backend.delete();
  }
  #void_proofs(): void {
    for (const machine of this.machines) {
      machine.deleted_ns = machine.clock.now_ns();
      machine.proved_until_ns = 0n;
      machine.proof_end_ns = 0n;
    }
  }

  /** The fence hook's work: nothing of that machine runs any more. */
  fence(holder: string, by: Machine): void {
    const machine = this.machines.find(({ name }) => name === holder);
    if (!machine || machine === by) return;
    this.note(machine, `is fenced by ${by.name}`);
    machine.power_off();
  }
}
