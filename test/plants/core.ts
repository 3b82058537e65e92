// Defects for the core and the locks, and the simulator's lock model that has to find each. Every rule that looks right and
// was refuted is among them.

export type CorePlant = {
  what: string;
  /** Below src/. */
  file: string;
  /** Occurs exactly once in the file. */
  from: string;
  to: string;
  /** Where it takes more than one: a rule that is kept in two places. */
  also?: { file: string; from: string; to: string }[];
  lock: "memory" | "etcd" | "zookeeper" | "file" | "witnessed";
};

/** etcd's rotation, before which a weaker proof may stand. */
const rotation_from =
  "      const lease = await this.#leases.grant();\n      const answer = await this.#api.txn(\n        [\n" +
  '          { key: this.#keys.lock, target: "create", equals: tenure.create },';
const keep_alive_first =
  "      const asked_ns = this.#options.time.now_ns();\n" +
  "      const { kvs } = await this.#api.range(this.#keys.lock);\n" +
  "      const held = this.#leases.get(kvs[0]?.lease ?? 0n);\n" +
  "      const ours = held && kvs[0]?.create_revision === tenure.create;\n" +
  "      if (ours && (await this.#api.keep_alive(held.id)) > 0)\n" +
  '        return { kind: "proved", proof: { t0_ns: asked_ns, bound_ms: held.bound_ms } };\n' +
  rotation_from;

/** ZooKeeper's prove(), where a weaker one may stand instead of the round. */
const prove_from =
  '    const answer = await this.#round(this.#held);\n    return "kind" in answer ? answer : { kind: "proved"';
const instead_of_the_round = (look: string, less_ms = 0): string =>
  `    const { ready } = this.#attachment;\n    const t0_ns = this.#options.time.now_ns();\n    if (ready) {\n${look}` +
  `      return { kind: "proved", proof: { t0_ns, bound_ms: this.#attachment.bound_ms - ${less_ms} } };\n    }\n${prove_from}`;
const write_on_the_old_connection =
  '      const wrote = await ready.connection.multi([{ op: "set", path: this.#nodes.lock, data: this.#record(this.#held, "running"), version: -1 }]);\n' +
  '      if (wrote !== "done") return { kind: "lost", because: "it is gone" };\n' +
  "      this.#held.version += 1;\n";

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
    what: "a hook whose end is heard of after the lease's is waited for, for ever",
    file: "core/preparing.ts",
    from: "return ended_hook(state, ran_out(state), { rules, now_ns });",
    to: "return end(state, ran_out(state), { rules, now_ns });",
    lock: "memory",
  },
  {
    what: "a start that is refused when the stop has begun is waited for, for ever",
    file: "core/stopping.ts",
    from: 'if (is_late(state, event) || state.awaited !== "app") return stay(state);\n    const because',
    to: "if (state.end === null) return stay(state);\n    const because",
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
    what: "a late answer is taken for one to the question at hand",
    file: "core/handlers.ts",
    from: "  return event.tenure !== state.tenure.id;",
    to: "  return event.tenure !== state.tenure.id && false;",
    lock: "memory",
  },
  {
    what: "what the app wrote is flushed after the release",
    file: "core/after.ts",
    from: "  if (!context.rules.drains) return drained(",
    to: "  if (context.rules.drains || !context.rules.drains) return drained(",
    lock: "memory",
  },
  {
    what: "etcd: a keep-alive counts as a proof",
    file: "lock/etcd/lock.ts",
    from: rotation_from,
    to: keep_alive_first,
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
  {
    what: "ZooKeeper: the session's time counts from the ConnectResponse",
    file: "lock/zookeeper/link.ts",
    from: "  const { connection } = answer;\n",
    to: "  const { connection } = answer;\n  asked_ns = time.now_ns();\n",
    lock: "zookeeper",
  },
  {
    what: "ZooKeeper: one write is enough",
    file: "lock/zookeeper/round.ts",
    from: "  if (lost === null) {\n    await settled;\n",
    to: "  if (lost === null && (await watch_lock(link, given.nodes.lock, given.held)) !== null) {\n    await settled;\n",
    lock: "zookeeper",
  },
  {
    what: "ZooKeeper: the second write comes at once",
    file: "lock/zookeeper/round.ts",
    from: "const settle_ms = 250;",
    to: "const settle_ms = 0;",
    lock: "zookeeper",
  },
  {
    what: "ZooKeeper: an acknowledged write on the old connection is a proof",
    file: "lock/zookeeper/lock.ts",
    from: prove_from,
    to: instead_of_the_round(write_on_the_old_connection),
    lock: "zookeeper",
  },
  {
    what: "ZooKeeper: such a write is a proof for a tick and a renewal less",
    file: "lock/zookeeper/lock.ts",
    from: prove_from,
    to: instead_of_the_round(write_on_the_old_connection, 2000 + 3000),
    lock: "zookeeper",
  },
  {
    what: "ZooKeeper: two such writes in a row are a proof",
    file: "lock/zookeeper/lock.ts",
    from: prove_from,
    to: instead_of_the_round(
      `      for (let count = 0; count < 2; count += 1) {\n${write_on_the_old_connection}` +
        "        await new Promise<void>((resolve) => void this.#options.time.after(250, resolve));\n      }\n",
    ),
    lock: "zookeeper",
  },
  {
    what: "ZooKeeper: the lock is looked at instead of proved",
    file: "lock/zookeeper/lock.ts",
    from: prove_from,
    to: instead_of_the_round(
      "      const stat = await ready.connection.exists(this.#nodes.lock);\n" +
        '      if (stat === "no-node") return { kind: "lost", because: "it is gone" };\n',
    ),
    lock: "zookeeper",
  },
  {
    what: "ZooKeeper: the connection is up, and that is a proof",
    file: "lock/zookeeper/lock.ts",
    from: prove_from,
    to: instead_of_the_round(""),
    lock: "zookeeper",
  },
  {
    what: "ZooKeeper: a re-attached session is a proof, without a write",
    file: "lock/zookeeper/round.ts",
    from: "  let lost = await write(given, link, false);\n",
    to: '  if (given.held.claimed) return { kind: "confirmed", t0_ns, link };\n  let lost = await write(given, link, false);\n',
    lock: "zookeeper",
  },
  {
    what: "ZooKeeper: whose ephemeral node it is, is not compared",
    file: "lock/zookeeper/take.ts",
    from: "there.stat.ephemeral_owner === connection.session.id;",
    to: "there.stat.ephemeral_owner !== 0n;",
    also: [
      {
        file: "lock/zookeeper/round.ts",
        from: '  if (stat.ephemeral_owner !== session.id) return "is another\'s";',
        to: '  if (stat.ephemeral_owner === 0n && session.id !== 0n) return "is another\'s";',
      },
    ],
    lock: "zookeeper",
  },
  {
    what: "ZooKeeper: a creation that was not answered is not looked for",
    file: "lock/zookeeper/take.ts",
    from: '  if (!mine) return { kind: "busy"',
    to: '  if (!mine || mine) return { kind: "busy"',
    lock: "zookeeper",
  },
  {
    what: "ZooKeeper: the connection that a round replaces counts as one that broke",
    file: "lock/zookeeper/lock.ts",
    from: " && this.#rounds === 0)",
    to: ")",
    lock: "zookeeper",
  },
  {
    what: "ZooKeeper: a warm standby's creation of the lock counts as the second write, however soon it comes",
    file: "lock/zookeeper/warmth.ts",
    from: "now_ns - state.written_ns >= ms_to_ns(settle_ms)",
    to: "now_ns - state.written_ns >= 0n * ms_to_ns(settle_ms)",
    lock: "zookeeper",
  },
  {
    what: "ZooKeeper: a session that is attached anew counts as one that begins",
    file: "lock/zookeeper/link.ts",
    from: "const begins = session === undefined;",
    to: "const begins = session === undefined || session !== undefined;",
    lock: "zookeeper",
  },
  {
    what: "ZooKeeper: a warm standby's proof counts from the answer to its first write",
    file: "lock/zookeeper/warmth.ts",
    from: "<= ms_to_ns(useful_ms(lease_ms)) ? asked_ns : null;",
    to: "<= ms_to_ns(useful_ms(lease_ms)) ? state.written_ns : null;",
    lock: "zookeeper",
  },
  {
    what: "ZooKeeper: a warm standby's proof counts from the last ConnectRequest, on whichever connection",
    file: "lock/zookeeper/attachment.ts",
    from: "      const link = await open_link(this.#api, this.#options, session);\n      if (link === null) {\n        this.forget();\n        return",
    to: "      old.asked_ns = time.now_ns();\n      const link = await open_link(this.#api, this.#options, session);\n      if (link === null) {\n        this.forget();\n        return",
    lock: "zookeeper",
  },
  {
    what: "ZooKeeper: a warm standby that saw no renewals says when the last one was",
    file: "lock/zookeeper/waiting.ts",
    from: "      if (front) sighting.ended();",
    to: "      sighting.ended();",
    lock: "zookeeper",
  },
  {
    what: "the guard keeps what says that it ended well while it is given back as unclean",
    file: "shell/perform.ts",
    from: "        await guard.unregister_release();\n",
    to: "",
    lock: "memory",
  },
  {
    what: "a release that is answered late ends the next tenure",
    file: "lock/memory.ts",
    from: "    if (this.#token === token) this.#token = 0n;",
    to: "    this.#token = 0n;",
    lock: "memory",
  },
];
