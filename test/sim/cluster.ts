// Contenders on machines of their own, each the real supervisor over the real core, with a modelled guard and lock service.

import type { Effect } from "../../src/core/effect.ts";
import type { Event } from "../../src/core/event.ts";
import type { Rules, State } from "../../src/core/state.ts";
import { end_of } from "../../src/core/lease.ts";
import { ms } from "../../src/core/timing.ts";
import type { Lock, LockOptions } from "../../src/lock/lock.ts";
import { GuardLost } from "../../src/errors.ts";
import { performer } from "../../src/shell/perform.ts";
import { Supervisor } from "../../src/shell/supervisor.ts";
import type { ServiceFaults } from "./faults.ts";
import { type AppPlan, SimGuard } from "./guard.ts";
import { Clock, type World } from "./world.ts";

/** The lock service under test, seen from one machine's controller. */
export type Backend = {
  lock: (options: LockOptions, machine: Machine) => Lock;
  /** What the release program does, from this machine. */
  release: (record: string, machine: Machine) => void;
  /** When the lock became whose it is, where the model knows that; world time. */
  held_since_ns?: () => bigint;
};

/** A backend whose lock service is a model, with the faults that it knows. */
export type ModelBackend = Backend & {
  faults: ServiceFaults;
  /** An operator deletes the key. */
  delete: () => void;
};

export type Plans = {
  app: () => AppPlan;
  /** A hook's time and failure. */
  hook: () => { takes_ms: number; failure: string | null };
  drain: () => { takes_ms: number; failure: string | null };
};

/** What went wrong, at which time. */
export class Violation extends Error {}

export class Machine {
  readonly name: string;
  readonly boot_id: string;
  readonly clock: Clock;
  readonly cluster: Cluster;
  /** The controller's, of the present life. */
  controller: Clock;
  guard: SimGuard;
  supervisor: Supervisor | null = null;
  instance = "";
  frozen = false;
  /** When it last went on after a freeze: a kill that was due before begins only then. */
  thawed_ns = 0n;
  /** Cut off from the lock service. */
  cut = false;
  off = false;
  /** Until when the lock can't be another's, as was proved here and not given up since. */
  proved_until_ns = 0n;
  /** A tenure that began before was ended by an operator. */
  deleted_ns = 0n;
  began_ns = 0n;
  /** What the supervisor was told last about its tenures. */
  answers: Event[] = [];
  /** Something that an app wrote may not be flushed. */
  dirty = false;
  /** Kills that were due to a loss of the lease. */
  losses = 0;

  constructor(cluster: Cluster, name: string, clock: Clock) {
    this.cluster = cluster;
    this.name = name;
    this.boot_id = `boot-${name}`;
    this.clock = clock;
    this.controller = clock.sibling();
    this.guard = this.#make_guard();
  }

  get runs(): boolean {
    return this.guard.alive && !this.frozen && !this.off;
  }

  /** As the orchestrator does: starts leasehold when it isn't there. The guard before it has to have ended. */
  boot(): void {
    if (this.supervisor || this.off || this.guard.alive) return;
    const { rules, backend, plans, world } = this.cluster;
    this.controller = this.clock.sibling();
    if (this.frozen) this.controller.stop();
    this.guard = this.#make_guard();
    this.answers = [];
    this.instance = `${this.name}-${this.cluster.instances++}`;
    const { instance, controller, guard } = this;
    const lock = backend.lock(
      {
        identity: { holder: this.name, instance, boot_id: this.boot_id, address: null, volume_id: null },
        ttl_ms: rules.timing.ttl_ms,
        attempt_ms: rules.timing.attempt_ms,
        time: controller,
        on_lost: (because) => {
          const state = supervisor.state;
          if ("tenure" in state) supervisor.push({ type: "lost", tenure: state.tenure.id, because });
        },
        register: false,
      },
      this,
    );
    const supervisor = new Supervisor({
      rules: { ...rules, boot_id: this.boot_id },
      time: controller,
      on_entry: ({ because, state }) => this.cluster.note(this, `${state}: ${because}`),
      on_step: (before, event, after, effects) => this.cluster.stepped(this, before, event, after, effects),
      perform: performer({
        rules,
        lock,
        guard,
        stop_scope: "main",
        start: (token) => ({ unset: [], set: [String(token)], argv: [] }),
        run_hook: ({ hook, tenure, previous }) =>
          new Promise((resolve) => {
            const { takes_ms, failure } = plans.hook();
            const done = (result: string | null): void => resolve({ failure: result, alive: false });
            const finish = (): void => {
              if (hook === "fence" && failure === null) this.cluster.fence(previous?.holder ?? "", this);
              done(failure);
            };
            // A job dies with its tenure, as its guard sees to.
            const end_ns = controller.now_ns() + BigInt(Math.round(takes_ms * 1e6));
            const look = (): void => {
              if (hook !== "lost" && !guard.live(tenure)) done("its tenure has ended");
              else if (controller.now_ns() >= end_ns) finish();
              else controller.after(Math.min(50, takes_ms), look);
            };
            look();
          }),
        drain: () =>
          new Promise((resolve) => {
            const { takes_ms, failure } = plans.drain();
            controller.after(takes_ms, () => {
              this.dirty = guard.alive;
              resolve(failure);
            });
          }),
        release: (record) => [record as unknown as Uint8Array, { drain_ms: 0, release_ms: 0, paths: [] }],
        on_exit: (code, because) => {
          this.cluster.note(this, `exit ${code}: ${because}`);
          controller.die();
          this.supervisor = null;
          void lock.close();
          world.after(world.random.between(100, 3000), () => this.clock.run(() => this.boot()));
        },
        on_defect: (error) => {
          if (!(error instanceof GuardLost))
            this.cluster.fail(error instanceof Error ? (error.stack ?? "") : String(error));
        },
      }),
    });
    this.supervisor = supervisor;
    controller.run(() => supervisor.push({ type: "begin" }));
  }

  /** kill -9 of the controller; the guard does the rest, and then the orchestrator starts all of it again. */
  crash(): void {
    if (!this.supervisor) return;
    this.controller.die();
    this.supervisor = null;
    this.guard.orphaned();
    const again = (): void => {
      if (this.guard.alive) this.cluster.world.after(500, again);
      else this.clock.run(() => this.boot());
    };
    this.cluster.world.after(this.cluster.world.random.between(500, 5000), again);
  }

  power_off(): void {
    this.controller.die();
    this.supervisor = null;
    this.guard.power_off();
    this.off = true;
    this.cluster.world.after(20_000, () => {
      this.off = false;
      this.boot();
    });
  }

  #make_guard(): SimGuard {
    const { rules, world, plans, backend } = this.cluster;
    return new SimGuard({
      world,
      clock: this.clock,
      controller: this.controller,
      cap_ms: rules.timing.ttl_ms,
      grace_ms: rules.timing.loss_grace_ms,
      kill_late_ms: rules.timing.margin_ms * 0.8,
      plan: plans.app,
      on_event: (event) => this.supervisor?.push(event),
      release: (record) => {
        this.proved_until_ns = 0n;
        backend.release(record, this);
      },
      on_start: (token) => this.cluster.started(this, token),
    });
  }
}

export class Cluster {
  readonly world: World;
  readonly rules: Rules;
  readonly backend: Backend;
  readonly plans: Plans;
  readonly machines: Machine[];
  readonly log: string[] = [];
  instances = 0;
  starts = 0;
  #last_token = 0n;
  #failure: string | null = null;

  constructor(world: World, machines: number, rules: Rules, backend: Backend, plans: Plans) {
    this.world = world;
    this.rules = rules;
    this.backend = backend;
    this.plans = plans;
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
    if (token <= this.#last_token) this.fail(`token ${token} after ${this.#last_token}`);
    this.#last_token = token;
  }

  stepped(machine: Machine, before: State, event: Event, after: State, effects: Effect[]): void {
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
      // Its controller may have been stopped meanwhile, and its tenure have ended.
      const over = end_of(event.proof) <= machine.clock.now_ns() || machine.began_ns <= machine.deleted_ns;
      const ago_ns = this.world.now_ns - (this.backend.held_since_ns?.() ?? this.world.now_ns);
      for (const { name, proved_until_ns, clock } of over ? [] : this.machines) {
        const left_ms = Number(proved_until_ns + ago_ns - clock.now_ns()) / 1e6;
        if (proved_until_ns > 0n && left_ms > 0)
          this.fail(
            `${machine.name} got the lock although ${name} had proved that it is its own for another ${ms(left_ms)}`,
          );
      }
    }
    if (!("tenure" in after) || !after.tenure.ours) return;
    const given_up = after.at === "releasing" || machine.began_ns <= machine.deleted_ns;
    machine.proved_until_ns = given_up ? 0n : end_of(after.tenure.proof);
  }
  /** By an operator: what was proved before is void. */
  delete_key(backend: ModelBackend): void {
    this.note(null, "an operator deletes the key");
    for (const machine of this.machines) {
      machine.deleted_ns = machine.clock.now_ns();
      machine.proved_until_ns = 0n;
    }
    backend.delete();
  }

  /** The fence hook's work: nothing of that machine runs any more. */
  fence(holder: string, by: Machine): void {
    const machine = this.machines.find(({ name }) => name === holder);
    if (!machine || machine === by) return;
    this.note(machine, `is fenced by ${by.name}`);
    machine.power_off();
  }
}
