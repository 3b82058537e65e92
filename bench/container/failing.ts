// How many requests fail when the holder's container is stopped or killed: 500 closed-loop clients through HAProxy, for 300 s.

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";
import { ContainerPair, services } from "../../test/support/container-pair.ts";
import { podman_kill, stop, type Fault, kill_app } from "../../test/support/container-faults.ts";
import { postgres_image, redis_image, type Image } from "../../test/support/images.ts";
import type { Owner } from "../../test/support/contenders.ts";
import type { Podman } from "../../test/support/podman.ts";
import type { Load } from "./clients.ts";

const clients = 500;
const limit_percent = 0.12;
const images: readonly Image[] = [
  redis_image,
  { ...postgres_image, cmd: [...postgres_image.cmd, "-c", "max_connections=600"] },
];

type Schedule = { name: string; at: readonly [at_s: number, fault: Fault][]; limit: boolean };
const schedules: readonly Schedule[] = [
  {
    name: "asked to stop",
    at: [
      [60, stop],
      [198, stop],
    ],
    limit: true,
  },
  {
    name: "killed",
    at: [
      [60, kill_app],
      [198, podman_kill],
    ],
    limit: false,
  },
];

/** Lines of a table: what, requests, failed, percent, broken down, reach, reached. */
export async function failing(t: Owner, podman: Podman, seconds: number, of: string): Promise<string[]> {
  const [service] = services;
  if (!service) throw new Error("no lock service");
  const lines: string[] = [];
  for (const schedule of schedules)
    for (const image of images) {
      if (!`${image.name}, ${schedule.name}`.includes(of)) continue;
      const options = { podman, image, service };
      const pair = await ContainerPair.start(t, options);
      await pair.start("a");
      let holder = await pair.holder();
      await pair.waits(await pair.start("b"));
      const address = [pair.net.address("front"), `${image.port}`];
      const [program = "", ...args] = [
        ...pair.net.exec("front"),
        process.execPath,
        join(import.meta.dirname, "clients.ts"),
        ...[image.name, ...address, `${clients}`, `${seconds}`],
      ];
      const running = promisify(execFile)(program, args, { maxBuffer: 1e9 });
      const begun_ms = performance.now();
      const interrupted: string[] = [];
      for (const [at_s, fault] of schedule.at) {
        await sleep(begun_ms + (at_s / 300) * seconds * 1000 - performance.now());
        const from_ms = performance.now();
        await fault.strike(pair, holder, options);
        await pair.end(holder);
        const next = await pair.holder(holder);
        interrupted.push(
          `${fault.what}: ready elsewhere after ${(performance.now() - from_ms).toFixed(0)} ms`,
        );
        await pair.remove(holder);
        await pair.waits(await pair.start(holder.name));
        holder = next;
      }
      const load: Load = JSON.parse((await running).stdout);
      lines.push(line_of(image.name, schedule, load, interrupted, seconds));
      console.error(lines.at(-1));
      // What came in waves, and what leasehold said of the app meanwhile.
      const seconds_of = Map.groupBy(load.failures, ({ at_ms }) => Math.floor(at_ms / 1000));
      console.error([...seconds_of].map(([at_s, all]) => `${at_s} s: ${all.length}`).join(", "));
      const said = (await pair.story()).split("\n").filter((line) => /"message":".*ready/.test(line));
      console.error(said.join("\n"));
      await pair.close();
    }
  return lines;
}

function line_of(
  name: string,
  schedule: Schedule,
  load: Load,
  interrupted: string[],
  seconds: number,
): string {
  const { answered, failures } = load;
  const percent = (100 * failures.length) / (answered + failures.length);
  const middle_ms = (129 / 300) * seconds * 1000;
  const parts = [
    failures.filter(({ at_ms }) => at_ms < middle_ms),
    failures.filter(({ at_ms }) => at_ms >= middle_ms),
  ].map((some, at) => {
    const kinds = Map.groupBy(some, ({ how }) => how);
    const told = [...kinds].map(([how, all]) => `${all.length} ${how}`).join(", ");
    return `${interrupted[at]}; ${some.length} failed: ${told}`;
  });
  const reached = percent <= limit_percent ? "yes" : "**no**";
  const reach = schedule.limit ? [`≤ ${limit_percent} %`, reached] : ["stated", "–"];
  const cells = [
    `${name}, ${schedule.name}`,
    `${answered + failures.length}`,
    `${failures.length}`,
    `${percent.toFixed(3)} %`,
    parts.join(". "),
    ...reach,
  ];
  return `| ${cells.join(" | ")} |`;
}
