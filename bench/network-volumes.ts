// What leasehold and its volume lease cost a database on network storage: GlusterFS on this kernel, NFS in User Mode Linux.
//
// They are two rows of `npm run bench:brain`; by itself it also takes
//
//   --pairs N     of each load (5)
//   --seconds N   of each run (6)
//   --only NAME   glusterfs or nfs
//   --load NAME   postgresql or redis
//   --control     without leasehold on both sides: what the figures are worth on this machine
//
// It ends with 1 when a ratio is below 0.99, but for the control. It needs root, and an idle machine.

import { join } from "node:path";
import { parseArgs } from "node:util";
import { scene } from "../test/support/scene.ts";
import { type Line, type Row, table } from "./brain/line.ts";
import type { Plan } from "./paired.ts";

const kinds = [
  { name: "glusterfs", storage: "GlusterFS", place: "namespaces", pairs: 16, seconds: 5 },
  // Slow as it is there, it stands still for seconds now and then: fewer runs, and longer ones.
  { name: "nfs", storage: "NFSv4.2", place: "uml", pairs: 5, seconds: 20 },
] as const;

async function on_network_volume(plan: Plan, only: readonly string[] = [], load = "all"): Promise<Line[]> {
  const lines: Line[] = [];
  for (const { name, storage, place } of kinds) {
    if (only.length > 0 && !only.includes(name)) continue;
    const args = [name, `${plan.pairs}`, `${plan.seconds}`, load, ...(plan.control ? ["control"] : [])];
    // To mount and fill, and for each run of each of two servers on each side. In User Mode Linux all of it is slow.
    const timeout_ms = 300_000 + 4 * plan.pairs * (40_000 + plan.seconds * 3000);
    const program = join(import.meta.dirname, "network-volumes/scene");
    const facts = await scene({ place, program, args, timeout_ms, memory_mb: 3072 });
    const text = String(facts.find(({ fact }) => fact === "lines")?.lines);
    const found: Line[] = JSON.parse(text);
    lines.push(...found.map((line) => ({ ...line, what: `on ${storage}: ${line.what}` })));
  }
  return lines;
}

export const on_network_volumes: readonly Row[] = kinds.map(({ name, pairs, seconds }) => ({
  name: `throughput-${name}`,
  measure: async (runs) => ({
    lines: await on_network_volume({ pairs: runs(pairs), seconds, control: false }, [name]),
    notes: ["The columns are those of `throughput`."],
  }),
}));

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      pairs: { type: "string", default: "5" },
      seconds: { type: "string", default: "6" },
      only: { type: "string", multiple: true, default: [] },
      load: { type: "string", default: "all" },
      control: { type: "boolean", default: false },
    },
  });
  const unknown = values.only.filter((name) => kinds.every((kind) => kind.name !== name));
  if (unknown.length > 0) throw new Error(`no storage ${unknown.join(", ")}; there are glusterfs and nfs`);
  if (!["all", "postgresql", "redis"].includes(values.load))
    throw new Error(`no load ${values.load}; there are postgresql and redis`);
  const plan = { pairs: Number(values.pairs), seconds: Number(values.seconds), control: values.control };
  const lines = await on_network_volume(plan, values.only, values.load);
  console.log(table(lines));
  if (lines.some(({ reached }) => reached === false)) process.exitCode = 1;
}
