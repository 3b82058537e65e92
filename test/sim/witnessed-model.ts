import type { ReleaseRecord } from "../../src/lock/witnessed/release.ts";
import { WitnessedLock } from "../../src/lock/witnessed/lock.ts";
import type { ModelBackend, Setting } from "./cluster.ts";
import { etcd_backend } from "./etcd-model.ts";
import { release, sim_volume } from "./file-model.ts";
import { memory_backend } from "./memory-model.ts";
import type { World } from "./world.ts";

/** A lock service and a volume. Some seeds have a service that grants the lock twice at any time: the volume alone decides then. */
export function witnessed_backend(world: World, setting: Setting): ModelBackend {
  const { outage } = setting;
  const { random } = world;
  const { volume, witness, ports, faults } = sim_volume(world, setting, ({ volume_cut }) => volume_cut);
  const make = random.pick([memory_backend, etcd_backend]);
  const service = make(world, setting);
  // The second one knows nothing of the first one's grants.
  const other = !outage && random.chance(0.3) ? make(world, setting) : service;
  const of = (name: string): ModelBackend => (Number(name.slice(1)) % 2 === 0 ? service : other);
  // Mixed now and then, as while a configuration is rolled out.
  const modes = outage ? (["hold"] as const) : random.pick([["stop"], ["hold"], ["stop", "hold"]] as const);
  return {
    lock: (options, machine) =>
      new WitnessedLock(
        (inner) => of(machine.name).lock(inner, machine),
        { ...witness, on_outage: modes[Number(machine.name.slice(1)) % modes.length] ?? "stop" },
        options,
        ports(machine),
      ),
    release(json, machine) {
      const record = JSON.parse(json) as ReleaseRecord;
      release(volume, machine, JSON.stringify(record.volume));
      of(machine.name).release(record.lock, machine);
    },
    delete() {
      service.delete();
      if (other !== service) other.delete();
    },
    faults: { ...service.faults, ...faults },
  };
}
