import { end_of, type Proof } from "../../core/lease.ts";
import type { Time } from "../../core/time.ts";
import { LockRefused, LockUnknown } from "../../errors.ts";
import type { Busy, Lock, Lost, Proved, ReleaseState, Taken } from "../lock.ts";

/** The lock service's lock of a witnessed one: one call of it at a time, and what it has proved. */
export class Inner {
  readonly lock: Lock;
  readonly #time: Time;
  readonly #note: (sentence: string) => void;
  #turn: Promise<unknown> = Promise.resolve();
  #proof: Proof | null = null;
  /** The record that was found isn't ours to leave as it is. */
  #unmarked = false;
  /** Whether the lock is to be kept, or taken again: a tenure is under way. */
  #wanted = false;
  #maintaining = false;
  #troubled = false;

  constructor(lock: Lock, time: Time, note: (sentence: string) => void) {
    this.lock = lock;
    this.#time = time;
    this.#note = note;
  }

  /** L; null: it isn't held. */
  get proof(): Proof | null {
    return this.#proof;
  }
  is_live(): boolean {
    return this.#proof !== null && this.#time.now_ns() < end_of(this.#proof);
  }

  take(): Promise<Taken | Busy> {
    this.#wanted = true;
    return this.#in_turn(() => this.#take());
  }
  async #take(): Promise<Taken | Busy> {
    const answer = await this.lock.take();
    if (answer.kind === "busy") return answer;
    this.#proof = answer.proof;
    this.#unmarked = answer.previous !== null && answer.previous.state !== "clean";
    return answer;
  }

  prove(): Promise<Proved | Lost> {
    return this.#in_turn(() => this.#prove());
  }
  async #prove(): Promise<Proved | Lost> {
    const answer = await this.lock.prove();
    if (answer.kind === "lost") this.#proof = null;
    else if (this.#proof === null || end_of(answer.proof) > end_of(this.#proof)) this.#proof = answer.proof;
    return answer;
  }

  /** Keeps it alive while something else takes its time. */
  async renewing<T>(work: Promise<T>, every_ms: number): Promise<T> {
    let over = false;
    let cancel = (): void => {};
    const renew = (): void => {
      cancel = this.#time.after(every_ms, () => {
        if (over) return;
        void this.prove()
          .catch(expected)
          .then(() => over || renew());
      });
    };
    renew();
    try {
      return await work;
    } finally {
      over = true;
      cancel();
    }
  }

  async mark(): Promise<void> {
    await this.#in_turn(() => this.lock.mark());
    this.#unmarked = false;
  }
  /** The volume's record is what counts. That the lock's says the same is for people: no failure matters. */
  async mark_if_needed(): Promise<void> {
    if (this.#unmarked) await this.mark().catch(expected);
  }

  /**
   * R6, under hold: renewed while it is ours; taken again only when it is free. One round at a time, and whatever comes of it
   * changes nothing for the app.
   */
  maintain(): void {
    if (!this.#wanted || this.#maintaining) return;
    this.#maintaining = true;
    void this.#in_turn(async () => {
      if (this.#wanted) await this.#round();
    })
      .then(
        () => this.#trouble(null),
        (error: unknown) => {
          expected(error);
          this.#trouble(error instanceof Error ? error.message : "");
        },
      )
      .finally(() => (this.#maintaining = false));
  }
  async #round(): Promise<void> {
    if (this.#proof !== null) {
      const answer = await this.#prove();
      if (answer.kind === "proved") return;
      this.lost(answer.because);
    }
    const answer = await this.#take();
    if (answer.kind === "busy") throw new LockUnknown("the lock is another's", "", "going on by the volume");
    if (this.#unmarked) await this.lock.mark();
    this.#unmarked = false;
    this.#note("the lock is ours again");
  }
  /** An outage of a day is one sentence. */
  #trouble(what: string | null): void {
    if (what !== null && !this.#troubled) this.#note(`${what}; the app goes on by the volume lease`);
    this.#troubled = what !== null;
  }

  /** It is certainly not ours any more. */
  lost(because: string): void {
    if (this.#proof !== null && this.#wanted) this.#note(`the lock was lost: ${because}`);
    this.#proof = null;
  }

  /** The tenure is over: nothing is taken again. */
  end(): void {
    this.#wanted = false;
  }
  async release(state: ReleaseState, failures = 0): Promise<void> {
    this.end();
    await this.#in_turn(() => this.lock.release(state, failures));
    this.#proof = null;
  }
  /**
   * Nothing was started under it. Where the record is ours already it says so: left running it would have us fenced, by ourselves
   * as well. Not answered: the next take() gives it back first, or it ends by itself.
   */
  async give_back(): Promise<void> {
    await this.release(this.#unmarked ? "as-found" : "clean").catch(expected);
  }

  #in_turn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => {});
    return mine;
  }
}

/** Nobody can say, or it is refused: the volume says enough. All else is a defect. */
function expected(error: unknown): void {
  if (!(error instanceof LockUnknown || error instanceof LockRefused)) throw error;
}
