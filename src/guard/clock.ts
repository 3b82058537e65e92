/**
 * The controller's CLOCK_BOOTTIME, in nanoseconds. Node offers only CLOCK_MONOTONIC (`process.hrtime`), which stands still
 * during a suspend; the guard stamps each of its frames with CLOCK_BOOTTIME.
 *
 * A sample, stamp − hrtime at receipt, is never above the true offset, because the frame took time to arrive. So the greatest
 * sample is the best, and now_ns() is never ahead of the true clock. For a proof's beginning that is the safe side: t0
 * too early only shortens a lease. It is stamped with the offset known then and never changed: a suspend that was not
 * seen yet shortens the lease, too. Whether a deadline has passed is the guard's question, which has the true clock.
 */
export class Clock {
  readonly #hrtime_ns: () => bigint;
  #offset_ns: bigint | undefined;

  constructor(hrtime_ns: () => bigint = () => process.hrtime.bigint()) {
    this.#hrtime_ns = hrtime_ns;
  }

  /** A frame of the guard, stamped at_ns, has just been received. */
  sample(at_ns: bigint): void {
    const offset_ns = at_ns - this.#hrtime_ns();
    if (this.#offset_ns === undefined || offset_ns > this.#offset_ns) this.#offset_ns = offset_ns;
  }

  /** Throws before the first sample: the guard's welcome is one, so that would be a defect. */
  now_ns(): bigint {
    if (this.#offset_ns === undefined) throw new Error("the clock was read before the guard's welcome");
    return this.#hrtime_ns() + this.#offset_ns;
  }
}
