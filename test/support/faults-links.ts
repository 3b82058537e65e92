// Faults of the links between contenders and servers, which are relays: for any backend.

import { setTimeout as sleep } from "node:timers/promises";
import type { Fault, Scene, Slot } from "./faults.ts";
import type { Relay } from "./relay.ts";

async function each(slot: Slot<Relay>, what: (way: Relay) => Promise<void> | void): Promise<void> {
  for (const way of slot.ways) await what(way);
}

/** For about as long as `part` of the lease. */
const last = ({ stage, random }: Scene<Relay>, part: number): Promise<void> =>
  sleep(stage.ttl_ms * part * (0.9 + random() / 10));

/** Again and again, at random moments, for `part` of the lease. */
async function meanwhile(
  { stage, random }: Scene<Relay>,
  part: number,
  [least_ms, most_ms]: [number, number],
  what: () => Promise<unknown>,
): Promise<void> {
  for (const end = performance.now() + stage.ttl_ms * part; performance.now() < end;) {
    await what();
    await sleep(least_ms + random() * (most_ms - least_ms));
  }
}

/** A part of the lease long. Relays must be the stage's ways. */
export const short_link_faults: readonly Fault<Relay>[] = [
  {
    name: "the holder's link is silent for 30 % of the lease",
    outcome: "untouched",
    async strike(scene) {
      await each(scene.holder, (way) => way.stop());
      await last(scene, 0.3);
      await each(scene.holder, (way) => way.resume());
    },
  },
  {
    name: "the holder's connections break and are refused for 30 % of the lease",
    outcome: "untouched",
    async strike(scene) {
      await each(scene.holder, (way) => way.cut());
      await last(scene, 0.3);
      await each(scene.holder, (way) => way.mend());
    },
  },
];

export const link_faults: readonly Fault<Relay>[] = [
  {
    name: "cut off from every server, silently, for longer than the lease",
    outcome: "another",
    async strike({ stage, holder }) {
      await each(holder, (way) => way.stop());
      await stage.running(holder.contender);
      await each(holder, (way) => way.resume());
    },
  },
  {
    name: "cut off from every server, refused, for longer than the lease",
    outcome: "another",
    async strike({ stage, holder }) {
      await each(holder, (way) => way.cut());
      await stage.running(holder.contender);
      await each(holder, (way) => way.mend());
    },
  },
  {
    name: "half-open: what it asks for arrives, no answer comes back, for longer than the lease",
    outcome: "another",
    async strike({ stage, holder }) {
      await each(holder, (way) => way.hold("down"));
      await stage.running(holder.contender);
      await each(holder, (way) => way.let_go());
    },
  },
  {
    name: "a storm of lost connections, for longer than the lease",
    outcome: "somebody",
    async strike(scene) {
      for (const slot of scene.stage.slots) await each(slot, (way) => way.cut());
      await meanwhile(scene, 1.5, [20, 300], () =>
        Promise.all(
          scene.stage.slots.map((slot) =>
            each(slot, (way) => (scene.random() < 0.5 ? way.cut() : way.mend())),
          ),
        ),
      );
      for (const slot of scene.stage.slots) await each(slot, (way) => way.mend());
    },
  },
  {
    name: "a slow link, 200 ms to 2 s for a question and its answer, changing all the time",
    outcome: "somebody",
    async strike(scene) {
      const { stage, random } = scene;
      const slow = (): Promise<unknown> =>
        Promise.all(stage.slots.map((slot) => each(slot, (way) => way.delay(100 + random() * 900))));
      await meanwhile(scene, 1.5, [100, 500], slow);
      for (const slot of stage.slots) await each(slot, (way) => way.delay(0));
    },
  },
];
