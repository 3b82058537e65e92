import type { LockRecord } from "../../src/core/record.ts";
import { LockUnknown } from "../../src/errors.ts";
import { MemoryLock, MemoryService, type Carry } from "../../src/lock/memory.ts";
import type { ModelBackend, Setting } from "./cluster.ts";
import type { Machine } from "./machine.ts";
import { Clock, type World } from "./world.ts";

/** Requests that are late, lost, or done with the answer lost; a service that is down for a while. */
export function memory_backend(world: World, { timing: { attempt_ms } }: Setting): ModelBackend {
  const clock = new Clock(world, world.random.between(-4e-4, 4e-4), 0n);
  const service = new MemoryService(clock);
  let down = 0;
  let slow = 0;

  const transit_ms = (): number => {
    const { random } = world;
    return random.between(0.2, 5) + (slow > 0 && random.chance(0.7) ? random.between(0, 2 * attempt_ms) : 0);
  };
  const carry = (machine: Machine): Carry => {
    const { controller } = machine; // of this life: a lock's requests die with it
    return (request) =>
      new Promise((resolve, reject) => {
        const late = controller.after(attempt_ms, () =>
          reject(new LockUnknown("no answer", "", "trying again")),
        );
        const there_ms = transit_ms();
        if (machine.cut && world.random.chance(0.9)) return; // what is under way when a line is cut may still arrive
        world.after(there_ms, () => {
          if (down > 0) return;
          const answer = request();
          if (machine.cut) return;
          world.after(transit_ms(), () =>
            controller.run(() => {
              late();
              resolve(answer);
            }),
          );
        });
      });
  };

  return {
    lock: (options, machine) => new MemoryLock(service, options, carry(machine)),
    release(record, machine) {
      const last = JSON.parse(record) as { token: string; record: LockRecord | null };
      if (machine.cut || down > 0) return;
      world.after(3, () => service.release(BigInt(last.token), last.record));
    },
    delete: () => service.delete(),
    faults: {
      "service-down"(for_ms) {
        down++;
        world.after(for_ms, () => down--);
      },
      "delayed-requests"(for_ms) {
        slow++;
        world.after(for_ms, () => slow--);
      },
    },
  };
}
