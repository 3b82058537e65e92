// What a bad way between the holder and the servers does; see zookeeper-faults.ts.

import { setTimeout as sleep } from "node:timers/promises";
import type { Relay } from "./relay.ts";
import {
  all_taken_over,
  all_untouched,
  type Fault,
  lease_over,
  short_ms,
  some_time,
} from "./zookeeper-faults.ts";
import { gone } from "./zookeeper-scene.ts";

const on_all = (relays: readonly Relay[], act: (relay: Relay) => Promise<void>): Promise<unknown> =>
  Promise.all(relays.map(act));

/** Connections are closed as soon as they are there, or soon after. */
async function storm(relays: readonly Relay[], length_ms: number): Promise<void> {
  for (const end = performance.now() + length_ms; performance.now() < end;) {
    await on_all(relays, (relay) => relay.cut());
    await on_all(relays, (relay) => relay.mend());
    await sleep(Math.random() * 400);
  }
}

/** Each delay lasts for a moment; what was sent stays in its order. */
async function jitter(relays: readonly Relay[], most_ms: number, length_ms: number): Promise<void> {
  for (const end = performance.now() + length_ms; performance.now() < end; await sleep(100))
    await on_all(relays, (relay) => relay.delay(Math.random() * most_ms));
  await on_all(relays, (relay) => relay.delay(0));
}

export const bad_links: readonly Fault[] = [
  {
    name: "connections are closed again and again for 30 % of the lease",
    through_relays: true,
    async strike(_, pairs, relays) {
      await some_time();
      await storm(relays, short_ms);
      await lease_over();
      all_untouched(pairs);
      return pairs;
    },
  },
  {
    name: "a link of 100 ms each way",
    through_relays: true,
    async strike(_, pairs, relays) {
      await some_time();
      await on_all(relays, (relay) => relay.delay(100));
      await lease_over();
      all_untouched(pairs);
      return pairs;
    },
  },
  {
    name: "one server of three answers noise",
    through_relays: true,
    async strike(_, pairs, relays) {
      await some_time();
      await relays[Math.floor(Math.random() * relays.length)]?.garble(true);
      await lease_over();
      all_untouched(pairs);
      return pairs;
    },
  },
  {
    name: "all servers answer noise",
    through_relays: true,
    async strike(_, pairs, relays) {
      await some_time();
      await on_all(relays, (relay) => relay.garble(true));
      await all_taken_over(pairs);
      return pairs;
    },
  },
];

/** How it ends depends on the moment; two apps at a time is no end. */
export const uncertain_links: readonly Fault[] = [
  {
    name: "connections are closed again and again for twice the lease",
    through_relays: true,
    async strike(_, pairs, relays) {
      await some_time();
      await storm(relays, 20_000);
      await sleep(1000);
      return pairs;
    },
  },
  {
    name: "a link of 200 ms to 2 s each way, with jitter",
    through_relays: true,
    async strike(_, pairs, relays) {
      await some_time();
      await jitter(relays, 200 + Math.random() * 1800, 20_000);
      await sleep(1000);
      return pairs;
    },
  },
  {
    name: "what the holder sent arrives when its lease is over",
    through_relays: true,
    async strike(_, pairs, relays) {
      await some_time();
      await on_all(relays, (relay) => relay.hold("up"));
      await Promise.all(pairs.map((pair) => gone(pair)));
      await sleep(Math.random() * 3000);
      await on_all(relays, (relay) => relay.let_go());
      await all_taken_over(pairs);
      return pairs;
    },
  },
];
