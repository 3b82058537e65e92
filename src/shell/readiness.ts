// Whether the app of one contender is ready, asked for as long as it runs.

import type { ReadyRules } from "../config/load.ts";
import type { Time } from "../core/time.ts";
import type { Push } from "./perform.ts";

export type ReadinessOptions = {
  /** null: nobody asks. */
  rules: ReadyRules | null;
  time: Time;
  /** leasehold's own variables, which no command gets, and those that each does. */
  unset: readonly string[];
  set: Readonly<Record<string, string>>;
};

/** Most contenders ask nothing, and a start that asks has the time while it stands by. */
const load = async () =>
  Promise.all([import("../ready/check.ts"), import("../ready/watch.ts")]).then(
    ([{ check_ready }, { ReadyWatch }]) => ({
      check_ready,
      ReadyWatch,
    }),
  );

export class Readiness {
  readonly #options: ReadinessOptions;
  readonly #loaded: ReturnType<typeof load> | null;
  #watch: { end: () => void } | null = null;

  constructor(options: ReadinessOptions) {
    this.#options = options;
    this.#loaded = options.rules && load();
  }

  async watch(tenure: bigint, push: Push): Promise<void> {
    this.unwatch();
    const { rules, time, unset, set } = this.#options;
    if (!rules || !this.#loaded) return;
    const begun = { ended: false };
    this.#watch = { end: () => (begun.ended = true) };
    const { check_ready, ReadyWatch } = await this.#loaded;
    if (begun.ended) return;
    const { check, limit_ms, every_ms } = rules;
    const job = { tenure, page: true, app_env: true, unset, set };
    this.#watch = new ReadyWatch({
      ask: () => check_ready(check, { limit_ms, time, job }),
      every_ms,
      time,
      on_ready: () => push({ type: "ready", tenure }),
      on_unready: (because) => push({ type: "unready", tenure, because }),
    });
  }
  unwatch(): void {
    this.#watch?.end();
    this.#watch = null;
  }
}
