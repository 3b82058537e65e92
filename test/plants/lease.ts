// The traps of docs/volume-lease.md as defects: what looks harmless in code, and let two apps run. Most are found by the simulator.
// Of some it finds nothing, because several rules would have to be broken at once, or the margin of the guard's deadline covers
// them: those are found by a test of the rule.

import type { CorePlant } from "./core.ts";
import type { TestedPlant } from "./planted.ts";

/** Where R5.4 judges. */
const judged = "    return verdict_of_look(life, scene, this.#observer.sightings);";

/** The end of the volume's lease ends nothing. */
const no_end = {
  file: "lock/witnessed/lock.ts",
  from: "      on_ended: (because) => this.#tell_lost(because),",
  to: "      on_ended: () => {},",
};

export const lease_plants: CorePlant[] = [
  {
    what: "trap 1: where nobody ever ran there is nobody to wait for",
    file: "storage/lease/lease.ts",
    from: "    if (in_ns > 0n) return",
    to: '    if (![...scene.beats.values()].some(({ value }) => value?.ran === true)) return { kind: "start" };\n    if (in_ns > 0n) return',
    lock: "file",
  },
  {
    what: "trap 2: no look after the claim",
    file: "storage/lease/lease.ts",
    from: judged,
    to: `    if (in_ns <= 0n) return { kind: "start" };\n${judged}`,
    lock: "file",
  },
  {
    what: "trap 3: the deadline is the lock's alone",
    file: "lock/witnessed/lock.ts",
    from: "    const [beat, renewal] = await",
    to: "    void this.#lease.prove().catch(() => {});\n    if (!this.#holds_on) return this.#inner.prove();\n    const [beat, renewal] = await",
    also: [no_end],
    lock: "witnessed",
  },
  {
    what: "trap 3: the deadline is the larger of the two",
    file: "lock/witnessed/lock.ts",
    from: "end_of(lock) < end_of(volume) ? lock : volume;",
    to: "end_of(lock) > end_of(volume) ? lock : volume;",
    also: [
      no_end,
      {
        file: "lock/witnessed/lock.ts",
        from: '    for (const answer of [renewal, beat]) if (answer.status === "rejected") throw answer.reason;\n',
        to: '    if (beat.status === "rejected" && renewal.status === "rejected") throw renewal.reason;\n',
      },
      {
        file: "lock/witnessed/lock.ts",
        from: "    for (const answer of [renewal, beat])\n      if",
        to: "    for (const answer of [renewal])\n      if",
      },
    ],
    lock: "witnessed",
  },
  {
    what: "trap 4: who has the lock need not look who lives",
    file: "storage/lease/lease.ts",
    from: "    if (!seen.silent) return refused(",
    to: "    if (!seen.silent && lock.token === null) return refused(",
    also: [
      {
        file: "storage/lease/lease.ts",
        from: judged,
        to: `    if (in_ns <= 0n) return { kind: "start" };\n${judged}`,
      },
    ],
    lock: "witnessed",
  },
  {
    what: "trap 5: the look comes right after the claim, though views are old",
    file: "storage/lease/rules.ts",
    from: "at_least_ns(2 * view_age_ms * (1 + clock_rate_bound))",
    to: "at_least_ns(0 * view_age_ms * (1 + clock_rate_bound))",
    lock: "file",
  },
  {
    what: "trap 6: a read that was begun before the claim is used as the look",
    file: "storage/lease/lease.ts",
    from: "      let { scene } = claimed;",
    to: "      let scene = before;",
    also: [
      {
        file: "storage/lease/lease.ts",
        from: "    const in_ns = look_ns - scene.start_ns;",
        to: "    const in_ns = 0n * (look_ns - scene.start_ns);",
      },
    ],
    lock: "file",
  },
  {
    what: "trap 7: an instance's id is used again",
    file: "storage/lease/lease.ts",
    from: "    const instance = uuid();",
    to: "    const [instance = uuid()] = this.#observer.own;",
    lock: "file",
  },
  {
    what: "trap 9: `released` is written while the app lives",
    file: "core/stopping.ts",
    from: "    if (!over) return next({ ...state, tenure }, effects, null);",
    to: "    if (!over) return after_app(state.tenure, state.ending, state.end, effects, context, null);",
    lock: "file",
  },
  {
    what: "trap 12: a missing beat is silence",
    file: "storage/lease/sightings.ts",
    from: '    if (one?.state === "released") return 0n;',
    to: '    if (one?.state === "released" || one?.state === "missing") return 0n;',
    lock: "file",
  },
  {
    what: "trap 13: a rollback of the volume is not waited out",
    file: "storage/lease/rules.ts",
    from: "paranoid || all",
    to: "(paranoid && all) || all",
    lock: "file",
  },
  {
    what: "hold: the lock is another's, so the app is killed",
    file: "lock/witnessed/lock.ts",
    from: "    if (!this.#holds_on) this.#tell_lost(because);",
    to: "    this.#tell_lost(because);",
    lock: "witnessed",
  },
  {
    what: "hold: no proof without the lock's",
    file: "lock/witnessed/lock.ts",
    from: "    if (this.#holds_on) return volume;",
    to: "    if (this.#holds_on && lock === null) return volume;",
    also: [
      {
        file: "lock/witnessed/lock.ts",
        from: "    if (this.#holds_on) {\n      const answer",
        to: "    if (this.#holds_on && this.#inner.proof === null) {\n      const answer",
      },
    ],
    lock: "witnessed",
  },
];

const rules_test = "storage/lease/rules.test.ts";

export const tested_lease_plants: readonly TestedPlant[] = [
  {
    what: "trap 8: a beat is swept that a claim names",
    file: "storage/lease/rules.ts",
    from: "(is_torn(instance) || !scene.named.has(instance))",
    to: "true",
    test: rules_test,
    name: "R8: ",
  },
  {
    what: "trap 8: the newest claim is swept",
    file: "storage/lease/rules.ts",
    from: "n < newest && ",
    to: "",
    test: rules_test,
    name: "R8: ",
  },
  {
    what: "trap 10: the observer's own tv instead of the recorded one",
    file: "storage/lease/sightings.ts",
    from: "const tv_ms = beat?.value?.tv_ms ??",
    to: "const tv_ms = scene.identity?.value?.tv_ms ?? beat?.value?.tv_ms ??",
    test: rules_test,
    name: "R4: silent only after the recorded length",
  },
  {
    what: "trap 11: the clocks' difference is left out",
    file: "storage/lease/sightings.ts",
    from: "at_least_ns(tv_ms * (1 + clock_rate_bound))",
    to: "at_least_ns(tv_ms)",
    test: rules_test,
    name: "R4: silent only after the recorded length",
  },
  {
    what: "trap 12: how long a beat is missing counts from before the own claim",
    file: "storage/lease/sightings.ts",
    from: 'if (state === "missing" && claimed)',
    to: 'if (state === "missing" && !claimed)',
    test: rules_test,
    name: "R4: missing counts from after our own claim",
  },
  {
    what: "trap 12: the same, where the claim is made",
    file: "storage/lease/lease.ts",
    from: "    this.#observer.sightings.forget_missing();\n",
    to: "",
    test: "storage/lease/lease.test.ts",
    name: "R4: ",
  },
];
