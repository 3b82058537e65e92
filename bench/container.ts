// npm run bench:container: what leasehold costs in a container, and what clients see of a hand-over. Likenesses of the official images of
// Redis and PostgreSQL, by podman and runc. docs/benchmarks.md says what the rows mean. It needs root and an idle machine.
//
//   --only start|throughput|failing    may be repeated
//   --seconds N                        of each run of failing (300)
//   --of TEXT                          of failing only rows whose name contains it
//   --pairs N                          of start (20) and throughput (5)
//
// It ends with 1 when something that was asked for is not reached.

import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { postgres_image, redis_image } from "../test/support/images.ts";
import { Podman } from "../test/support/podman.ts";
import { failing } from "./container/failing.ts";
import { starts } from "./container/starts.ts";
import { throughput } from "./container/throughput.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true, default: ["start", "throughput", "failing"] },
    seconds: { type: "string", default: "300" },
    of: { type: "string", default: "" },
    pairs: { type: "string" },
  },
});
const load = loadavg()[0]?.toFixed(2);
const ends: (() => Promise<void>)[] = [];
const owner = { after: (end: () => Promise<void>) => void ends.push(end) };
const lines: string[] = [];
try {
  const podman = new Podman(owner);
  const images = [redis_image, postgres_image];
  await podman.base("base", [...new Set(images.flatMap(({ packages }) => packages))]);
  await podman.leasehold();
  for (const { name } of images) await podman.singleton(name, "base");
  if (values.only.includes("start")) lines.push(...(await starts(owner, podman, Number(values.pairs ?? 20))));
  if (values.only.includes("throughput"))
    lines.push(...(await throughput(owner, podman, Number(values.pairs ?? 5))));
  if (values.only.includes("failing"))
    lines.push(...(await failing(owner, podman, Number(values.seconds), values.of)));
} finally {
  for (const end of ends.toReversed()) await end();
}
console.log(`load ${load} before the start\n\n${lines.join("\n")}`);
if (lines.some((line) => line.includes("**no**"))) process.exitCode = 1;
