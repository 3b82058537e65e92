import type { Event } from "../../src/core/event.ts";
import { GuardLost } from "../../src/errors.ts";
import { performer } from "../../src/shell/perform.ts";
import { Supervisor } from "../../src/shell/supervisor.ts";
import type { Cluster } from "./cluster.ts";
import { SimGuard } from "./guard.ts";
import type { Clock } from "./world.ts";

/** A contender on a machine of its own: the real supervisor over the real core, with a modelled guard and lock service. */
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
  /** Cut off from the lock service; from the volume. */
  cut = false;
  volume_cut = false;
  off = false;
  /** Until when the lock can't be another's, as was proved here and not given up since. */
  proved_until_ns = 0n;
  /** The same, until it is known to be given up. */
  proof_end_ns = 0n;
  /** A tenure that began before was ended by an operator. */
  deleted_ns = 0n;
  began_ns = 0n;
  token = 0n;
  /** What the supervisor was told last about its tenures. */
  answers: Event[] = [];
  /** Something that an app wrote may not be flushed. */
  dirty = false;
  /** How the core wants the lock to be given back. */
  ends_unclean = false;
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
        random: () => world.random.next(),
        register: false,
      },
      this,
    );
    const take = lock.take.bind(lock);
    lock.take = () => {
      guard.unclean = false;
      return take();
    };
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
            const { takes_ms, failure, late_ms } = plans.hook();
            const done = (result: string | null): void => {
              // Its word is on the way when the controller stands still, and comes before all else then.
              controller.after(0, () => resolve({ failure: result, alive: false }));
              if (late_ms === 0) return;
              controller.stop();
              world.after(late_ms, () => controller.go_on());
            };
            const finish = (): void => {
              if (hook === "fence" && failure === null) this.cluster.fence(previous?.holder ?? "", this);
              done(failure);
            };
            // A job dies with its tenure, as its guard sees to.
            const end_ns = controller.now_ns() + BigInt(Math.round(takes_ms * 1e6));
            const look = (): void => {
              if (hook !== "lost" && hook !== "detach" && !guard.live(tenure)) done("its tenure has ended");
              else if (controller.now_ns() >= end_ns) finish();
              else controller.after(Math.min(50, takes_ms), look);
            };
            look();
          }),
        watch_ready: (tenure, push) => {
          const { after_ms, unready_after_ms } = plans.ready();
          const tell = (at_ms: number, event: Event): void => {
            if (at_ms !== Infinity) controller.after(at_ms, () => push(event));
          };
          tell(1, { type: "unready", tenure, because: "it is starting" });
          tell(after_ms, { type: "ready", tenure });
          tell(after_ms + unready_after_ms, { type: "unready", tenure, because: "it does not answer" });
          tell(after_ms + unready_after_ms + 1000, { type: "ready", tenure });
        },
        drain: () =>
          new Promise((resolve) => {
            const { takes_ms, failure } = plans.drain();
            controller.after(takes_ms, () => {
              this.dirty = guard.alive;
              resolve(failure);
            });
          }),
        end_jobs: () => {
          guard.unclean = this.ends_unclean;
          return Promise.resolve();
        },
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
    this.dirty = false; // what its kernel held is gone
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
      order_ms: plans.order_ms,
      on_event: (event) => this.supervisor?.push(event),
      release: (record) => {
        this.proved_until_ns = 0n;
        this.proof_end_ns = 0n;
        this.dirty = false; // the guard syncs the volumes first
        if (this.guard.unclean)
          this.cluster.fail(`${this.name}'s guard releases as clean what ended unclean`);
        backend.release(record, this);
      },
      on_start: (token) => this.cluster.started(this, token),
    });
  }
}
