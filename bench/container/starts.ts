// From `podman run` to the app's first step, with and without leasehold, in pairs. The app is `date`, which says when it ran.

import { etcd_network } from "../../test/support/etcd-network.ts";
import type { Owner } from "../../test/support/contenders.ts";
import type { Podman } from "../../test/support/podman.ts";
import { median } from "../figures.ts";

const limit_ms = 150;

export async function starts(t: Owner, podman: Podman, pairs: number): Promise<string[]> {
  const { network: net } = await etcd_network(t, 1, ["a"]);
  const lock = `etcd://${net.address("m0")}/start`;
  const common = [
    ...["run", "--rm", "--pull=never", "--runtime=runc", `--network=ns:${net.namespace("a")}`],
    ...["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"],
  ];
  const took_ms = async (image: string, ...options: string[]): Promise<number> => {
    const begun_ms = Date.now();
    const said = await podman.run(...common, ...options, image, "date", "+%s%N");
    return Number(said) / 1e6 - begun_ms;
  };
  const bare = (): Promise<number> => took_ms("redis:test");
  const within = (): Promise<number> => took_ms("singleton-redis", "--env", `LEASEHOLD_LOCK=${lock}`);
  await bare();
  await within();
  const all: { without_ms: number; with_ms: number }[] = [];
  for (let index = 0; index < pairs; index++)
    all.push(
      index % 2 === 0
        ? { without_ms: await bare(), with_ms: await within() }
        : await within().then(async (with_ms) => ({ with_ms, without_ms: await bare() })),
    );
  const more = all.map(({ with_ms, without_ms }) => with_ms - without_ms).toSorted((a, b) => a - b);
  const middle = median(more);
  const side = (which: "without_ms" | "with_ms"): string => median(all.map((one) => one[which])).toFixed(0);
  const cells = [
    "container start to the app's first step, lock on etcd free: more than without leasehold",
    `${pairs}`,
    ...[more[0] ?? 0, middle, more.at(-1) ?? 0].map((value) => `${value.toFixed(0)} ms`),
    `${side("without_ms")} ms without, ${side("with_ms")} ms with`,
    ...[`median ≤ ${limit_ms} ms`, middle <= limit_ms ? "yes" : "**no**"],
  ];
  const line = `| ${cells.join(" | ")} |`;
  console.error(line);
  return [line];
}
