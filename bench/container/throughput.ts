// The same load on a server in a container, with and without leasehold in it, one run after the other, in pairs. The load runs in the
// same container, by the server's own program. Server and load have a processor each, leasehold takes what is free: by which of them
// share one a run gets a third more or less, and a hundredth isn't to be seen.

import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { etcd_network } from "../../test/support/etcd-network.ts";
import type { Owner } from "../../test/support/contenders.ts";
import { type Image, postgres_image, redis_image } from "../../test/support/images.ts";
import type { Podman } from "../../test/support/podman.ts";
import { mean_ratio, median } from "../figures.ts";

const least_ratio = 0.99;
const seconds = 6;

type Subject = {
  image: Image;
  ready: readonly string[];
  fill: readonly string[] | null;
  loads: readonly { name: string; command: readonly string[]; figure: RegExp }[];
};

/** The server's processes, also those that it starts later. Throws when there is none: the figure would mean something else. */
async function keep_to_a_processor(podman: Podman, id: string, name: string): Promise<void> {
  const lines = (await podman.run("top", id, "hpid", "comm")).split("\n").map((line) => line.split(/\s+/));
  const pids = lines.flatMap(([pid = "", command = ""]) => (command.startsWith(name) ? [pid] : []));
  if (pids.length === 0) throw new Error(`no process of ${name} in ${id}`);
  for (const pid of pids) execFileSync("taskset", ["-a", "-p", "-c", "0", pid], { stdio: "ignore" });
}

const redis = (what: string, count: number): Subject["loads"][number] => ({
  name: `redis-benchmark, ${what}`,
  command: [
    ...["redis-benchmark", "-t", what, "-n", `${count}`, "-c", "50", "-d", "100", "-r", "100000", "--csv"],
  ],
  figure: /^"[A-Z]+","([\d.]+)"/m,
});
const pgbench = ["pgbench", "-U", "postgres", "-T", `${seconds}`, "-c", "8", "-j", "2", "-n", "postgres"];
const subjects: readonly Subject[] = [
  {
    image: { ...redis_image, cmd: [...redis_image.cmd, "--appendfsync", "everysec"] },
    ready: ["sh", "-c", "[ $(redis-cli ping) = PONG ]"],
    fill: null,
    loads: [redis("set", 250_000), redis("get", 300_000)],
  },
  {
    image: { ...postgres_image, cmd: ["postgres", "-c", "shared_buffers=256MB", "-c", "max_wal_size=8GB"] },
    ready: ["psql", "-U", "postgres", "-h", "127.0.0.1", "-c", "select 1"],
    fill: ["pgbench", "-U", "postgres", "-i", "-q", "-s", "20", "postgres"],
    loads: [
      { name: "pgbench, read only", command: [...pgbench, "-S"], figure: /^tps = ([\d.]+)/m },
      { name: "pgbench, TPC-B-like", command: pgbench, figure: /^tps = ([\d.]+)/m },
    ],
  },
];

export async function throughput(t: Owner, podman: Podman, pairs: number): Promise<string[]> {
  const { network: net } = await etcd_network(t, 1, ["a"]);
  const lines: string[] = [];
  for (const subject of subjects) {
    const { image, loads } = subject;
    const volume = join(podman.folder, `throughput-${image.name}`);
    mkdirSync(volume);
    const round = async (within: boolean, fill: boolean): Promise<number[]> => {
      if (image.name === "redis") rmSync(join(volume, "appendonlydir"), { recursive: true, force: true });
      const variables = {
        LEASEHOLD_LOCK: `etcd://${net.address("m0")}/${image.name}`,
        LEASEHOLD_VOLUME: image.volume,
        LEASEHOLD_PROFILE: image.name,
      };
      const options = [
        ...[`--network=ns:${net.namespace("a")}`, "--volume", `${volume}:${image.volume}`],
        ...Object.entries(variables).flatMap(([key, value]) => ["--env", `${key}=${value}`]),
      ];
      const tag = within ? `singleton-${image.name}` : `${image.name}:test`;
      const id = await podman.create(`load-${process.hrtime.bigint()}`, tag, options, image.cmd);
      const inside = (...command: readonly string[]): Promise<string> => podman.run("exec", id, ...command);
      for (const end = performance.now() + 60_000; performance.now() < end; await sleep(100))
        if (
          await inside(...subject.ready).then(
            () => true,
            () => false,
          )
        )
          break;
      if (fill && subject.fill) await inside(...subject.fill);
      await keep_to_a_processor(podman, id, image.name);
      const put = (command: readonly string[]): Promise<string> => inside("taskset", "-c", "1", ...command);
      // The first doesn't count: in its first seconds the controller compiles what it then runs for days.
      await put(loads[0]?.command ?? []);
      const figures: number[] = [];
      for (const { command, figure } of loads) {
        const found = Number(figure.exec(await put(command))?.[1]);
        if (!(found > 0)) throw new Error(`no figure of ${command.join(" ")}`);
        figures.push(found);
      }
      await podman.run("stop", "--time", "60", id);
      await podman.run("rm", id);
      return figures;
    };
    await round(true, true);
    const all: { without: number[]; within: number[] }[] = [];
    for (let index = 0; index < pairs; index++) {
      const first = index % 2 === 0;
      const one = await round(first, false);
      const two = await round(!first, false);
      all.push(first ? { within: one, without: two } : { within: two, without: one });
    }
    for (const [at, { name }] of loads.entries()) {
      const each = all.map(({ within, without }) => (within[at] ?? 0) / (without[at] ?? 1));
      const side = (which: "within" | "without"): number => median(all.map((pair) => pair[which][at] ?? 0));
      const ratio = mean_ratio(each);
      const cells = [
        `${name}, in the container: a second with leasehold over without`,
        `${pairs}`,
        ...[Math.min(...each).toFixed(4), ratio.text, Math.max(...each).toFixed(4)],
        `${side("within").toFixed(0)} ÷ ${side("without").toFixed(0)}`,
        ...[`≥ ${least_ratio}`, ratio.mean >= least_ratio ? "yes" : "**no**"],
      ];
      lines.push(`| ${cells.join(" | ")} |`);
      console.error(lines.at(-1));
    }
  }
  return lines;
}
