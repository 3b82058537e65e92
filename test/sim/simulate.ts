import { derive } from "../../src/core/timing.ts";
import type { Rules } from "../../src/core/state.ts";
import { Cluster, type ModelBackend, type Plans, Violation } from "./cluster.ts";
import { etcd_backend } from "./etcd-model.ts";
import { file_backend } from "./file-model.ts";
import { faults, type ServiceFault } from "./faults.ts";
import { memory_backend } from "./memory-model.ts";
import { witnessed_backend } from "./witnessed-model.ts";
import { Random, World } from "./world.ts";
import { zookeeper_backend } from "./zookeeper-model.ts";

export const lock_models = ["memory", "etcd", "zookeeper", "file", "witnessed"] as const;
export type LockModel = (typeof lock_models)[number];
export type Result = { violation: string | null; starts: number; log: string[] };

/** Faults in the first part, none in the second: then somebody has to run, and go on running. */
const faulty_ms = 120_000;
const settle_ms = 90_000;
/** After the last app's end, when nothing is wrong any more. */
const takeover_leases = 3;

/** One run of a cluster, wholly decided by its seed. */
export async function simulate(seed: number, model: LockModel): Promise<Result> {
  const world = new World(seed);
  const { random } = world;
  // Short faults only: 30 % of the lease, one at a time, after which nobody may have been killed.
  const gentle = random.chance(0.25);
  // Nothing but the lock service is in trouble, for as long as it likes: by the volume lease nobody may be killed of it.
  const outage = model === "witnessed" && !gentle && random.chance(0.25);
  const with_volume = model === "file" || model === "witnessed";
  const close = with_volume && !gentle && !outage && random.chance(0.2);
  // What docs/safety.md says that it takes a fence hook for happens only where there is one.
  const fenced = random.chance(0.5);
  // Of a stream of its own: what the other choices are doesn't depend on it.
  const readiness = new Random(seed ^ 0x5ead1);
  const asked = readiness.chance(0.3);
  const rules = {
    ...make_rules(world, gentle || outage, fenced, close),
    ready_timeout_ms: asked ? readiness.pick([5000, 20_000]) : null,
    restarts_max: readiness.pick([0, 0, 2, Infinity]),
  };
  const backend = backends[model](world, { timing: rules.timing, gentle, fenced, outage, close });
  const cluster = new Cluster(world, 2 + random.integer(2), rules, backend, {
    ...make_plans(world, gentle || outage, fenced),
    ready: plan_ready(world, readiness),
  });
  const stalls = { quiet_since_ms: 0 };

  cluster.machines.forEach((machine) => world.after(random.between(0, 2000), () => machine.boot()));
  if (gentle) plan_gentle(cluster, backend);
  else if (outage) plan_outage(cluster, backend);
  else if (close) plan_close(cluster, backend);
  else plan_faults(cluster, backend, fenced);
  try {
    await world.run(faulty_ms, () => cluster.check());
    cluster.note(null, "no more faults");
    stalls.quiet_since_ms = faulty_ms;
    await world.run(faulty_ms + settle_ms, () => cluster.check());
    // An app that was never ready, didn't stop and couldn't be killed for a minute may have kept the lock until a moment ago.
    const longest_ms = Math.max(
      faulty_ms + settle_ms,
      cluster.last_alive_ms + takeover_leases * rules.timing.ttl_ms,
    );
    if (!cluster.machines.some((machine) => machine.runs)) await world.run(longest_ms, () => cluster.check());
    if (!cluster.machines.some((machine) => machine.runs))
      throw new Violation("nobody runs, although nothing is wrong any more");
    const losses = cluster.machines.reduce((sum, machine) => sum + machine.losses, 0);
    if (gentle && losses > 0)
      throw new Violation("a healthy app was killed by a fault shorter than the budget");
    if (outage && losses > 0)
      throw new Violation(
        "a healthy app was killed by an outage of the lock service, although the volume holds",
      );
    return { violation: null, starts: cluster.starts, log: cluster.log };
  } catch (error) {
    const violation =
      error instanceof Violation ? error.message : String(error instanceof Error ? error.stack : error);
    return { violation, starts: cluster.starts, log: cluster.log };
  }
}

const backends = {
  memory: memory_backend,
  etcd: etcd_backend,
  zookeeper: zookeeper_backend,
  file: file_backend,
  witnessed: witnessed_backend,
};

function make_rules({ random }: World, gentle: boolean, fenced: boolean, close: boolean): Rules {
  const ttl_ms = random.pick([10_000, 15_000, 30_000]);
  const loss_grace_ms = close ? 0 : random.pick([0, ttl_ms / 10, Math.min(ttl_ms / 5, 5000)]);
  const drains = random.chance(0.3);
  return {
    timing: {
      ttl_ms,
      loss_grace_ms,
      drain_ms: drains ? 1000 : 0,
      margin_ms: Math.max(500, ttl_ms / 20),
      ...derive(ttl_ms),
      stop_timeout_ms: random.pick([2000, 20_000]),
    },
    stop_signal: 15,
    when_busy: "wait",
    wait_timeout_ms: null,
    on_loss: random.pick(["exit", "standby"]),
    hooks: {
      fence: fenced,
      attach: random.chance(0.2),
      verify: random.chance(0.4),
      // No draw of its own: the seeds that docs/track-record.md names stay what they are.
      restore: ttl_ms === 15_000,
      data: false,
      pre_start: random.chance(0.3),
      backup: !gentle && ttl_ms === 10_000,
      post_stop: !gentle && random.chance(0.3),
      lost: random.chance(0.3),
    },
    drains,
    ready_timeout_ms: null, // simulate() decides
    restarts_max: 0,
    boot_id: "",
  };
}

/** An app is ready after a while, or is never while there are faults; and one that was may be unready for a second. */
function plan_ready(world: World, random: Random): Plans["ready"] {
  return () => ({
    after_ms:
      world.now_ns < BigInt(faulty_ms * 1e6) && random.chance(0.2) ? Infinity : random.between(5, 4000),
    unready_after_ms: random.chance(0.3) ? random.between(5, 10_000) : Infinity,
  });
}

/** What fails by chance fails only while there are faults: in the end somebody has to run. */
function make_plans(world: World, gentle: boolean, fenced: boolean): Omit<Plans, "ready"> {
  const { random } = world;
  const chance = (probability: number): boolean =>
    random.chance(probability) && world.now_ns < BigInt(faulty_ms * 1e6);
  const fails = gentle ? 0 : 0.1;
  return {
    app: () => ({
      stop_ms: random.pick([5, 500, 5000, Infinity]),
      life_ms: !gentle && chance(0.1) ? random.between(0, 30_000) : Infinity,
      undead_ms: !gentle && fenced && chance(0.1) ? random.between(0, 60_000) : 0,
    }),
    hook: () => ({
      takes_ms: random.between(0, 1000),
      failure: chance(fails) ? "the hook failed" : null,
      late_ms: chance(fails / 2) ? random.between(0, 40_000) : 0,
    }),
    drain: () => ({
      takes_ms: random.between(0, 800),
      failure: chance(fails) ? "the drain failed" : null,
    }),
    order_ms: () => (chance(fails / 10) ? random.between(0, 10_000) : 0),
  };
}

const cut = faults["partition"] as (cluster: Cluster, for_ms: number, backend: ModelBackend) => void;
const needs_fence = ["suspend"];

function plan_faults(cluster: Cluster, backend: ModelBackend, fenced: boolean): void {
  const { world } = cluster;
  const { random } = world;
  const names = [...Object.keys(faults), ...Object.keys(backend.faults), "key-deleted"];
  // Some runs have a few faults again and again, others have a bit of everything.
  const share = random.pick([0.1, 0.3, 0.6]);
  const allowed = names.filter((name) => random.chance(share) && (fenced || !needs_fence.includes(name)));
  if (allowed.length === 0) return;
  for (let at_ms = random.between(5000, 20_000); at_ms < faulty_ms; at_ms += random.between(500, 25_000)) {
    const name = random.pick(allowed);
    const for_ms = random.pick([50, 500, 3000, 12_000, 40_000]) * random.between(0.5, 1.5);
    const most_ms = Math.min(for_ms, faulty_ms - at_ms);
    world.after(at_ms, () => {
      const fault = faults[name];
      const service = backend.faults[name as ServiceFault];
      if (fault) fault(cluster, most_ms, backend);
      else if (service) {
        cluster.note(null, `${name} for ${Math.round(most_ms)} ms`);
        service(most_ms);
        // What is late hurts most when nothing can be sent after it.
        if (name === "delayed-requests" && random.chance(0.7))
          world.after(random.between(0.3, 1) * most_ms, () =>
            cut(cluster, 1.5 * cluster.rules.timing.ttl_ms, backend),
          );
      } else {
        cluster.delete_key(backend);
      }
    });
  }
}

/** What a lease just survives is what its observers have to wait for. */
function plan_close(cluster: Cluster, backend: ModelBackend): void {
  const { world, rules } = cluster;
  const { random } = world;
  const { ttl_ms } = rules.timing;
  for (let at_ms = 15_000; at_ms < faulty_ms; at_ms += random.between(0.3, 2) * ttl_ms) {
    const for_ms = Math.min(ttl_ms * random.between(0.7, 1.05), faulty_ms - at_ms);
    const name = random.pick(["controller-pause", "volume-cut-off"] as const);
    // Each is waited for by the length that it has lived by, whatever the volume says by then.
    const changes = random.chance(0.3);
    world.after(at_ms, () => {
      cluster.note(null, `${name} for ${Math.round(for_ms)} ms`);
      if (changes) backend.faults["lease-changed"]?.(0);
      if (name === "volume-cut-off") backend.faults[name]?.(for_ms);
      else faults[name]?.(cluster, for_ms, backend);
    });
  }
}

/** Hold: whatever becomes of the lock and the way to it. */
function plan_outage(cluster: Cluster, backend: ModelBackend): void {
  const { world } = cluster;
  const { random } = world;
  const of_the_lock = ["service-down", "delayed-requests", "stale-leader", "leader-change"] as const;
  for (let at_ms = 15_000; at_ms < faulty_ms; at_ms += random.between(500, 25_000)) {
    const for_ms = Math.min(random.pick([500, 12_000, 40_000, 100_000]), faulty_ms - at_ms);
    const name = random.pick([...of_the_lock, "partition", "key-deleted"] as const);
    world.after(at_ms, () => {
      if (name === "partition") return cut(cluster, for_ms, backend);
      if (name === "key-deleted") return cluster.delete_key(backend);
      cluster.note(null, `${name} for ${Math.round(for_ms)} ms`);
      backend.faults[name]?.(for_ms);
    });
  }
}

function plan_gentle(cluster: Cluster, backend: ModelBackend): void {
  const { world, rules } = cluster;
  const { random } = world;
  const for_ms = rules.timing.ttl_ms * 0.3;
  const survived = ["service-down", "leader-change", "member-down"] as const;
  const harmless = [
    "partition",
    "controller-pause",
    ...survived.filter((name) => backend.faults[name] !== undefined),
  ];
  for (
    let at_ms = 15_000;
    at_ms + for_ms < faulty_ms;
    at_ms += for_ms + random.between(1, 2) * rules.timing.ttl_ms
  ) {
    const name = random.pick(harmless);
    world.after(at_ms, () => {
      const fault = faults[name];
      if (fault) fault(cluster, for_ms, backend);
      else {
        cluster.note(null, `${name} for ${Math.round(for_ms)} ms`);
        backend.faults[name as ServiceFault]?.(for_ms);
      }
    });
  }
}
