// The guard as the core sees it (src/guard/frames.md): the page with its deadline, the app's processes, what is done for a dead
// controller. It runs while the controller is stopped, and not while the machine is frozen.

import type { Event } from "../../src/core/event.ts";
import type { GuardPort } from "../../src/shell/perform.ts";
import type { Status } from "../../src/guard/events.ts";
import type { Clock, World } from "./world.ts";

export type AppPlan = {
  /** From the stop signal to its end; Infinity: it ignores it. */
  stop_ms: number;
  /** From the start to an end of its own. */
  life_ms: number;
  /** How long SIGKILL takes: a process in D state. */
  undead_ms: number;
};

export type GuardOptions = {
  world: World;
  /** The machine's own time, for the guard. */
  clock: Clock;
  /** The controller's. */
  controller: Clock;
  cap_ms: number;
  grace_ms: number;
  /** How late a kill begins and ends, at most. */
  kill_late_ms: number;
  plan: () => AppPlan;
  /** How long an order waits besides. */
  order_ms: () => number;
  on_event: (event: Event) => void;
  /** For a dead controller, with everything dead: the record that was registered last. */
  release: (record: string) => void;
  on_start: (token: bigint) => void;
};

type App = { tenure: bigint; main: boolean; killed: boolean; plan: AppPlan; timers: (() => void)[] };

export class SimGuard implements GuardPort {
  readonly #options: GuardOptions;
  #tenure = 0n;
  #deadline_ns = 0n;
  #app: App | null = null;
  #record: string | null = null;
  /** The controller is giving the lock back as unclean, or has done so, and hasn't asked for it anew: what is registered says otherwise. */
  unclean = false;
  #orphan = false;
  #cancel_deadline: () => void = () => {};
  /** Orders are obeyed one after the other. */
  #free_ns = 0n;

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  /** Any process of the app, or one that can't be killed. */
  get alive(): boolean {
    return this.#app !== null;
  }
  /** Killed, and not dead of it. */
  get undead(): boolean {
    return this.#app?.killed === true && this.#app.plan.undead_ms > 0;
  }
  get deadline_ns(): bigint {
    return this.#deadline_ns;
  }
  /** Whether jobs of this tenure may live. */
  live(tenure: bigint): boolean {
    return tenure === this.#tenure && this.#options.clock.now_ns() < this.#deadline_ns;
  }

  deadline(tenure: bigint, deadline_ns: bigint): Promise<Status> {
    return this.#order(() => {
      const now_ns = this.#options.clock.now_ns();
      if (deadline_ns <= now_ns) return "past";
      if (deadline_ns - now_ns > BigInt(Math.round(this.#options.cap_ms * 1e6))) return "beyond";
      if (tenure < this.#tenure || tenure === 0n) return "late";
      if (tenure === this.#tenure) {
        if (this.#deadline_ns <= now_ns) return "late";
      } else if (this.#app) return "not_empty";
      this.#tenure = tenure;
      this.#set(deadline_ns);
      return "done";
    });
  }
  start(start: { tenure: bigint; set: (string | Uint8Array)[] }): Promise<Status> {
    return this.#order(() => {
      if (start.tenure < this.#tenure) return "late";
      if (start.tenure > this.#tenure) return "no_tenure";
      if (this.#deadline_ns <= this.#options.clock.now_ns()) return "late";
      if (this.#app) return "not_empty";
      const app: App = {
        tenure: start.tenure,
        main: true,
        killed: false,
        plan: this.#options.plan(),
        timers: [],
      };
      this.#app = app;
      this.#options.on_start(BigInt(String(start.set[0])));
      this.#tell({ type: "started", tenure: app.tenure, pid: 1 });
      if (app.plan.life_ms !== Infinity)
        this.#later(app, app.plan.life_ms, () => this.#main_ends(app, "exit", 1));
      return "done";
    });
  }
  signal(): Promise<Status> {
    return this.#order(() => {
      const app = this.#app;
      if (app?.main !== true) return "no_app";
      this.#stop(app);
      return "done";
    });
  }
  kill(tenure: bigint, close: boolean): Promise<Status> {
    return this.#order(() => {
      if (tenure !== this.#tenure) return tenure < this.#tenure ? "late" : "no_tenure";
      if (this.#app) this.#kill(this.#app, "order");
      if (close) this.#set(0n);
      return "done";
    });
  }
  register_release(record: string | Uint8Array): Promise<Status> {
    return this.#order(() => {
      this.#record = String(record);
      return "done";
    });
  }
  unregister_release(): Promise<Status> {
    return this.#order(() => {
      this.#record = null;
      return "done";
    });
  }
  exit(): Promise<Status> {
    return this.#order(() => "done");
  }

  /** The controller is dead. */
  orphaned(): void {
    this.#options.clock.run(() => {
      this.#orphan = true;
      const app = this.#app;
      if (!app) return this.#after_the_controller();
      this.#stop(app);
      this.#later(app, this.#options.grace_ms, () => this.#kill(app, "controller_died"));
    });
  }
  /** Outer dies: inner kills at once. */
  half_dead(): void {
    this.#options.clock.run(() => {
      if (this.#app) this.#kill(this.#app, "outer_died");
    });
  }
  /** The machine is powered off, by a fence or by itself. */
  power_off(): void {
    for (const cancel of this.#app?.timers ?? []) cancel();
    this.#app = null;
    this.#cancel_deadline();
    this.#record = null;
  }

  // ---- the app ----

  #stop(app: App): void {
    if (app.plan.stop_ms !== Infinity)
      this.#later(app, app.plan.stop_ms, () => this.#main_ends(app, "signal", 15));
  }
  #kill(app: App, why: string): void {
    if (app.killed) return;
    app.killed = true;
    this.#tell({ type: "killing", tenure: app.tenure, why });
    const { world, kill_late_ms } = this.#options;
    // Often as late as the margin allows.
    const late_ms = world.random.chance(0.3) ? kill_late_ms : world.random.between(0, kill_late_ms);
    this.#later(app, late_ms, () => {
      if (app.plan.undead_ms === 0) return this.#main_ends(app, "signal", 9);
      this.#later(app, app.plan.undead_ms, () => this.#main_ends(app, "signal", 9));
      const report = (): void => {
        this.#tell({ type: "undead", tenure: app.tenure, what: "a process can't be killed" });
        this.#later(app, 5000, report);
      };
      this.#later(app, 1000, report);
    });
  }
  #main_ends(app: App, how: "exit" | "signal", value: number): void {
    if (this.#app !== app) return;
    for (const cancel of app.timers) cancel();
    this.#app = null;
    this.#tell({ type: "ended", tenure: app.tenure, end: { how, value } });
    this.#tell({ type: "empty", tenure: app.tenure });
    if (this.#orphan) this.#after_the_controller();
  }
  #after_the_controller(): void {
    this.#set(0n);
    if (this.#record !== null) this.#options.release(this.#record);
    this.#record = null;
  }

  #set(deadline_ns: bigint): void {
    const { clock } = this.#options;
    this.#deadline_ns = deadline_ns;
    this.#cancel_deadline();
    const pass = (): void => {
      if (clock.now_ns() < this.#deadline_ns) return void (this.#cancel_deadline = clock.after(1, pass));
      if (this.#app) this.#kill(this.#app, "deadline");
    };
    this.#cancel_deadline = clock.after(Number(deadline_ns - clock.now_ns()) / 1e6, pass);
  }
  #later(app: App, delay_ms: number, run: () => void): void {
    app.timers.push(this.#options.clock.after(delay_ms, () => this.#app === app && run()));
  }

  // ---- the socket: in order, reliable, quick ----

  #tell(event: Event): void {
    const { world, controller } = this.#options;
    world.after(0.2, () => controller.run(() => this.#options.on_event(event)));
  }
  #order(obey: () => Status): Promise<Status> {
    const { world, clock, controller, order_ms } = this.#options;
    const wait_ms = order_ms() + Math.max(0, Number(this.#free_ns - world.now_ns) / 1e6);
    this.#free_ns = world.now_ns + BigInt(Math.ceil(wait_ms * 1e6));
    return new Promise((resolve) => {
      world.after(0.1 + wait_ms, () =>
        clock.run(() => {
          if (controller.dead) return;
          const status = obey();
          world.after(0.2, () => controller.run(() => resolve(status)));
        }),
      );
    });
  }
}
