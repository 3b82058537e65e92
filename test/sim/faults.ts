// The named faults. Each is one of what happens to a contender, its machine, its network or its lock service.

import type { Cluster, ModelBackend } from "./cluster.ts";
import type { Machine } from "./machine.ts";

/** What only the lock service's model can do; absent: it has no such fault. */
export type ServiceFaults = Partial<Record<ServiceFault, (for_ms: number) => void>>;
export type ServiceFault =
  | "service-down"
  | "service-stalls"
  | "leader-change"
  | "member-down"
  | "member-cut-off"
  | "member-stalls"
  | "delayed-requests"
  | "stale-leader"
  | "leader-stalls"
  | "ping-thread-stalls"
  | "volume-hangs"
  | "volume-slow"
  | "volume-cut-off"
  | "torn-reads"
  | "files-removed"
  | "lease-changed"
  | "volume-rolled-back";

type Fault = (cluster: Cluster, for_ms: number, backend: ModelBackend) => void;

const somebody = (cluster: Cluster): Machine => cluster.world.random.pick(cluster.machines);
/** Mostly the one that runs the app: it has most to lose. */
const holder = (cluster: Cluster): Machine =>
  (cluster.world.random.chance(0.8) ? cluster.machines.find(({ guard }) => guard.alive) : undefined) ??
  somebody(cluster);

export const faults: Record<string, Fault> = {
  "controller-pause"(cluster, for_ms) {
    const machine = holder(cluster);
    const { controller } = machine;
    cluster.note(machine, `its controller is stopped for ${Math.round(for_ms)} ms`);
    controller.stop();
    cluster.world.after(for_ms, () => controller.go_on());
  },
  "controller-crash"(cluster) {
    const machine = holder(cluster);
    cluster.note(machine, "its controller is killed");
    machine.crash();
  },
  "guard-death"(cluster) {
    const machine = holder(cluster);
    cluster.note(machine, "its outer guard is killed");
    machine.guard.half_dead();
  },
  partition(cluster, for_ms) {
    const machine = holder(cluster);
    cluster.note(machine, `is cut off from the lock service for ${Math.round(for_ms)} ms`);
    machine.cut = true;
    cluster.world.after(for_ms, () => (machine.cut = false));
  },
  // A standby is there again when its session is about to end, and the lock is free just then.
  "nearly-forgotten"(cluster, for_ms, backend) {
    const { ttl_ms } = cluster.rules.timing;
    const { random } = cluster.world;
    const standbys = cluster.machines.filter(({ guard, off }) => !guard.alive && !off);
    if (standbys.length === 0 || for_ms < ttl_ms) return;
    const machine = random.pick(standbys);
    cluster.note(machine, "is cut off from the lock service for about a lease");
    machine.cut = true;
    cluster.world.after(ttl_ms + random.between(0, 2500), () => {
      machine.cut = false;
      if (random.chance(0.8)) cluster.world.after(random.between(5, 1200), () => cluster.delete_key(backend));
    });
  },
  suspend(cluster, for_ms) {
    const machine = holder(cluster);
    if (machine.frozen || machine.off) return;
    cluster.note(machine, `the machine is frozen for ${Math.round(for_ms)} ms`);
    machine.frozen = true;
    machine.clock.stop();
    machine.controller.stop();
    cluster.world.after(for_ms, () => {
      machine.frozen = false;
      machine.thawed_ns = machine.clock.now_ns();
      machine.clock.go_on();
      machine.controller.go_on();
    });
  },
  "late-answer"(cluster) {
    const { controller, supervisor, answers } = holder(cluster);
    const state = supervisor?.state;
    if (!supervisor || !state || !("tenure" in state)) return;
    const late = answers.filter((event) => "tenure" in event && event.tenure !== state.tenure.id);
    if (late.length === 0) return;
    const answer = cluster.world.random.pick(late);
    controller.run(() => supervisor.push(answer));
  },
  "stop-request"(cluster) {
    const machine = holder(cluster);
    cluster.note(machine, "gets SIGTERM");
    machine.controller.run(() => machine.supervisor?.push({ type: "stop", signal: 15 }));
  },
  "volume-lost"(cluster) {
    const { controller, supervisor } = holder(cluster);
    const state = supervisor?.state;
    if (!supervisor || !state || !("tenure" in state)) return;
    const how = cluster.world.random.pick(["kill", "stop"] as const);
    const because = "the volume is gone";
    const tenure = state.tenure.id;
    controller.run(() => supervisor.push({ type: "volume-lost", tenure, because, how }));
  },
  "machine-lost"(cluster) {
    const machine = holder(cluster);
    cluster.note(machine, "loses its power");
    machine.power_off();
  },
};
