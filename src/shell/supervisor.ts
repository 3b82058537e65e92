import type { Effect } from "../core/effect.ts";
import type { Event } from "../core/event.ts";
import type { Rules, State } from "../core/state.ts";
import { step, wake_at } from "../core/step.ts";
import { with_rules } from "../core/turn.ts";
import { ms_between, type Time } from "../core/time.ts";

/** Performs one effect. Its results come back as events, through the supervisor's push. */
export type Perform = (effect: Effect, push: (event: Event) => void) => void;

export type Entry = { at_ns: bigint; because: string; state: State["at"] };

export type SupervisorOptions = {
  rules: Rules;
  time: Time;
  perform: Perform;
  /** Each sentence, once; the log. */
  on_entry: (entry: Entry) => void;
  /** Each step, for the simulator's checks. */
  on_step?: (before: State, event: Event, after: State, effects: Effect[]) => void;
};

const history_length = 50;

/** The event queue around the pure core: one event at a time, in the order in which they came. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #queue: Event[] = [];
  #rules: Rules;
  #state: State = { at: "starting" };
  #since_ns: bigint;
  #busy = false;
  #cancel_wake: () => void = () => {};
  #history: Entry[] = [];

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#rules = options.rules;
    this.#since_ns = options.time.now_ns();
  }

  get state(): State {
    return this.#state;
  }
  /** When this state was entered. */
  get since_ns(): bigint {
    return this.#since_ns;
  }
  /** The last sentences, oldest first. */
  get history(): readonly Entry[] {
    return this.#history;
  }

  get rules(): Rules {
    return this.#rules;
  }
  /**
   * From the next event on. What the guard was told at the start has to stay as it is: the ttl, the loss grace, the stop
   * signal and its scope; and what the lock service was: the lease's parts.
   */
  replace_rules(rules: Rules): void {
    this.#rules = rules;
    this.#state = with_rules(this.#state, rules);
    if (!this.#busy) this.#sleep();
  }

  /** Throws when the core finds one of its invariants broken. */
  push(event: Event): void {
    this.#queue.push(event);
    if (this.#busy) return; // an effect that is answered at once
    this.#busy = true;
    try {
      for (let next = this.#queue.shift(); next; next = this.#queue.shift()) this.#take(next);
    } finally {
      this.#busy = false;
    }
    this.#sleep();
  }

  #take(event: Event): void {
    const { time, perform, on_entry, on_step } = this.#options;
    const now_ns = time.now_ns();
    const before = this.#state;
    const { state, effects, because } = step(this.#rules, before, event, now_ns);
    this.#state = state;
    if (state.at !== before.at) this.#since_ns = now_ns;
    on_step?.(before, event, state, effects);
    if (because !== null) {
      const entry = { at_ns: now_ns, because, state: state.at };
      this.#history = [...this.#history.slice(1 - history_length), entry];
      on_entry(entry);
    }
    for (const effect of effects) perform(effect, (answer) => this.push(answer));
  }

  #sleep(): void {
    const { time } = this.#options;
    this.#cancel_wake();
    const wake_ns = wake_at(this.#rules, this.#state);
    if (wake_ns === null) return;
    const delay_ms = Math.max(0, ms_between(time.now_ns(), wake_ns));
    this.#cancel_wake = time.after(delay_ms, () => this.push({ type: "tick" }));
  }
}
