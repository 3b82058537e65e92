// Defects for the core and the locks, and the simulator's lock model that has to find each. Every rule that looks right and
// was refuted is among them.

export type CorePlant = {
  what: string;
  /** Below src/. */
  file: string;
  /** Occurs exactly once in the file. */
  from: string;
  to: string;
  lock: "memory" | "etcd" | "zookeeper";
};

export const core_plants: CorePlant[] = [
  {
    what: "the deadline counts from the answer, not from before the question",
    file: "lock/memory.ts",
    from: '    return { kind: "proved", proof: { t0_ns, bound_ms } };',
    to: '    return { kind: "proved", proof: { t0_ns: this.#options.time.now_ns() + 0n * t0_ns, bound_ms } };',
    lock: "memory",
  },
  {
    what: "nothing is kept back of a lease: no margin",
    file: "core/lease.ts",
    from: "- ms_to_ns(drain_ms + margin_ms);",
    to: "- ms_to_ns(0 * (drain_ms + margin_ms));",
    lock: "memory",
  },
  {
    what: "an unanswered renewal counts as one",
    file: "lock/memory.ts",
    from: "const renewed = await this.#carry(() => this.#service.renew(token, bound_ms));",
    to: "const renewed = await this.#carry(() => this.#service.renew(token, bound_ms)).catch(() => true);",
    lock: "memory",
  },
  {
    what: "the lock is released while the app gets its stop signal",
    file: "core/stopping.ts",
    from: "    if (!over) return next({ ...state, tenure }, effects, null);",
    to: "    if (!over) return after_app(state.tenure, state.ending, state.end, effects, context, null);",
    lock: "memory",
  },
  {
    what: "no fence after a tenure whose end is not known",
    file: "core/tenure.ts",
    from: 'marked: previous === null || previous.state === "clean",',
    to: 'marked: previous === null || previous.state !== "unclean",',
    lock: "memory",
  },
  {
    what: "the record becomes ours with the lock, whether its last holder was fenced or not",
    file: "lock/memory.ts",
    from: 'if (this.#found === null || this.#found.state === "clean") this.mark(token, record);',
    to: "this.mark(token, record);",
    lock: "memory",
  },
  {
    what: "a tenure that didn't fence leaves its own record",
    file: "core/after.ts",
    from: 'const state = !tenure.marked ? "as-found" : clean ? "clean" : "unclean";',
    to: 'const state = clean ? "clean" : "unclean";',
    lock: "memory",
  },
  {
    what: "the release doesn't look whose key it is",
    file: "lock/memory.ts",
    from: "    if (this.held?.token !== token) return;",
    to: "",
    lock: "memory",
  },
  {
    what: "etcd: a keep-alive counts as a proof",
    file: "lock/etcd/lock.ts",
    from: '      const lease = await this.#leases.grant();\n      const answer = await this.#api.txn(\n        [\n          { key: this.#keys.lock, target: "create", equals: tenure.create },',
    to: '      const held = [...this.#leases.all()].at(-1);\n      const asked_ns = this.#options.time.now_ns();\n      if (held && (await this.#api.keep_alive(held.id)) > 0)\n        return { kind: "proved", proof: { t0_ns: asked_ns, bound_ms: held.bound_ms } };\n      const lease = await this.#leases.grant();\n      const answer = await this.#api.txn(\n        [\n          { key: this.#keys.lock, target: "create", equals: tenure.create },',
    lock: "etcd",
  },
  {
    what: "etcd: the rotation compares the create revision only",
    file: "lock/etcd/lock.ts",
    from: '          { key: this.#keys.lock, target: "mod", equals: tenure.mod },\n',
    to: "",
    lock: "etcd",
  },
  {
    what: "etcd: the lease's time counts from the grant's answer",
    file: "lock/etcd/leases.ts",
    from: "const lease = { id, t0_ns, bound_ms: ttl_s * 1000 };",
    to: "const lease = { id, t0_ns: this.#time.now_ns() + 0n * t0_ns, bound_ms: ttl_s * 1000 };",
    lock: "etcd",
  },
  {
    what: "etcd: the key is looked at instead of rotated",
    file: "lock/etcd/lock.ts",
    from: '      const lease = await this.#leases.grant();\n      const answer = await this.#api.txn(\n        [\n          { key: this.#keys.lock, target: "create", equals: tenure.create },',
    to: '      const asked_ns = this.#options.time.now_ns();\n      const { kvs } = await this.#api.range(this.#keys.lock);\n      if (kvs[0]?.create_revision === tenure.create)\n        return { kind: "proved", proof: { t0_ns: asked_ns, bound_ms: this.#options.ttl_ms } };\n      const lease = await this.#leases.grant();\n      const answer = await this.#api.txn(\n        [\n          { key: this.#keys.lock, target: "create", equals: tenure.create },',
    lock: "etcd",
  },
];
