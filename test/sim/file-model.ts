import type { Changes } from "../../src/lock/file/changes.ts";
import { FileLock } from "../../src/lock/file/lock.ts";
import type { ReleaseRecord } from "../../src/lock/file/release.ts";
import type { VolumeWitness } from "../../src/lock/lock.ts";
import type { Time } from "../../src/core/time.ts";
import type { Machine } from "./machine.ts";
import type { ModelBackend, Setting } from "./cluster.ts";
import type { ServiceFaults } from "./faults.ts";
import { ModelVolume, volume_id } from "./volume-model.ts";
import type { World } from "./world.ts";

/** How far apart an operator's mistakes are, in leases: one is survived, two at a time may not be. */
const between_removals = 3;

/** The volume that the seed chooses, and what locks need of it. */
export function sim_volume(
  world: World,
  { timing: { ttl_ms, attempt_ms }, gentle, fenced, close }: Setting,
  is_cut: (machine: Machine) => boolean,
) {
  const { random } = world;
  const view_age_ms = random.pick(close ? [ttl_ms / 6, ttl_ms / 4] : [0, 0, 500, ttl_ms / 6]);
  const local = view_age_ms === 0 && random.chance(0.7);
  // Where something may outlive its lease, the record of whom to fence has to stay.
  const forgets = !gentle && !fenced;
  const paranoid = forgets && !close && random.chance(0.3);
  const volume = new ModelVolume(world, { view_age_ms, tv_ms: ttl_ms, limit_ms: attempt_ms, is_cut });
  const witness: VolumeWitness = { path: "/sim", id: volume_id, view_age_ms, local, paranoid };
  const machines = new Set<Machine>();
  let instances = 0;
  let removed_ns = -BigInt(2 ** 62);
  let rolled_back = false;

  const ports = (machine: Machine) => {
    machines.add(machine);
    return {
      store: volume.store(machine),
      changes: new ModelChanges(volume, machine.controller, local),
      random: () => random.next(),
      uuid: () => `00000000-0000-4000-8000-${String(++instances).padStart(12, "0")}`,
    };
  };
  /** false: too soon after the last one. */
  const one_removal = (what: () => void): void => {
    if (world.now_ns - removed_ns < BigInt(between_removals * ttl_ms * 1e6)) return;
    removed_ns = world.now_ns;
    what();
  };
  const victim = (): Machine => [...machines].find(({ guard }) => guard.alive) ?? random.pick([...machines]);

  const faults: ServiceFaults = {
    "volume-hangs": (for_ms) => volume.for_a_while("hung", for_ms),
    "volume-slow": (for_ms) => volume.for_a_while("slow", for_ms),
    "torn-reads": (for_ms) => volume.for_a_while("torn", for_ms),
    "volume-cut-off"(for_ms) {
      const machine = victim();
      machine.volume_cut = true;
      world.after(for_ms, () => (machine.volume_cut = false));
    },
    // Who claims from then on lives by another length than who holds it.
    "lease-changed": () => volume.label(ttl_ms * random.pick([1, 0.8])),
    "files-removed": () =>
      one_removal(() => {
        const beats = volume.names("beat");
        const claims = volume.names("claim");
        const all = [...beats, ...claims];
        if (all.length === 0) return;
        const which = random.pick([[random.pick(all)], claims, ...(forgets ? [all] : [])]);
        volume.remove((name) => which.includes(name));
        victim().cluster.counter_lost();
      }),
    ...(paranoid && {
      "volume-rolled-back"(for_ms: number) {
        if (rolled_back) return;
        rolled_back = true;
        const restore = volume.snapshot();
        world.after(for_ms, () => {
          restore();
          victim().cluster.counter_lost();
        });
      },
    }),
  };
  return { volume, witness, ports, faults };
}

export function file_backend(world: World, setting: Setting): ModelBackend {
  const { volume, witness, ports, faults } = sim_volume(
    world,
    setting,
    // Who is cut off from the lock service is cut off from the volume.
    ({ cut, volume_cut }) => cut || volume_cut,
  );
  return {
    lock: (options, machine) =>
      new FileLock({ path: "/sim" }, { ...options, volume: witness }, ports(machine)),
    release: (json, machine) => release(volume, machine, json),
    delete: () => faults["files-removed"]?.(0),
    faults: { ...faults, "service-down": (for_ms) => volume.for_a_while("hung", for_ms) },
  };
}

/** What the release program does with a file's record. */
export function release(volume: ModelVolume, machine: Machine, json: string): void {
  const { name, content } = JSON.parse(json) as ReleaseRecord;
  if (name !== null) volume.write(machine, name, Buffer.from(content, "base64"));
}

/** inotify on a local volume, heard of a little late. */
class ModelChanges implements Changes {
  readonly heard: boolean;
  readonly #volume: ModelVolume;
  readonly #time: Time;

  constructor(volume: ModelVolume, time: Time, heard: boolean) {
    this.#volume = volume;
    this.#time = time;
    this.heard = heard;
  }
  wait(most_ms: number, abort: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        take_back();
        unwatch();
        resolve();
      };
      const take_back = this.#time.after(most_ms, end);
      const unwatch = this.heard ? this.#volume.watch(() => this.#time.after(1, end)) : () => {};
      abort.addEventListener("abort", end);
    });
  }
  close(): void {}
}
