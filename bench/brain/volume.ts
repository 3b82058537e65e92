// A lock on the volume itself (file:): how soon the next app runs, and what the volume lease costs there. On the disk of TMPDIR.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { at_end } from "../../test/support/at-end.ts";
import { type Contender, Contenders } from "../../test/support/contenders.ts";
import { descendants } from "../../test/support/processes.ts";
import { label } from "../../test/support/volume.ts";
import { type Line, median_at_most, type Row, single, times } from "./line.ts";
import { type Ends, leasehold, with_ends } from "./services.ts";

const who = "leasehold, file:";
const ttl_ms = 30_000;

/** One holds it, one stands by. */
async function pair(
  ends: Ends,
  probe: string,
): Promise<{ volume: string; contenders: Contenders; holder: Contender; standby: Contender }> {
  const volume = mkdtempSync(join(tmpdir(), "leasehold-bench-volume-"));
  ends.after(at_end('rm -rf -- "$1" "$1.trace"', volume));
  label(volume, ttl_ms);
  const contenders = new Contenders(ends);
  const args = ["--ttl", `${ttl_ms}ms`, "--volume", `${volume},probe=${probe}`];
  const start = (): Contender => contenders.start({ lock: `file://${volume}`, args, guard: leasehold });
  const holder = start();
  await contenders.holder();
  const standby = start();
  await standby.line(/waiting: the lock is held/);
  await sleep(500); // its watch is set
  return { volume, contenders, holder, standby };
}

async function killed_once(): Promise<number> {
  return with_ends(async (ends) => {
    const { contenders, holder } = await pair(ends, "5s/3s×2");
    holder.signal("SIGKILL", holder.controller);
    await contenders.holder(holder);
    return contenders.gaps_ms()[0] ?? Number.NaN;
  });
}

type Cost = { operations: number; read: number; written: number; syncs: number; beats: number };

const calls =
  "open,openat,close,read,pread64,write,pwrite64,fsync,fdatasync,syncfs,getdents64,link,linkat,unlink,unlinkat,fadvise64,fstat,statx";

/** What a contender's controller and its probes do on the volume meanwhile. strace slows them down, and changes no count. */
async function cost(contender: Contender, volume: string, during_ms: number): Promise<Cost> {
  const file = `${volume}.trace`;
  const words = [
    "-f",
    "-y",
    "-s",
    "0",
    "-e",
    `trace=${calls}`,
    "-o",
    file,
    // The probe that stays is there already.
    ...[contender.controller, ...descendants(contender.controller).map(({ pid }) => pid)].flatMap((pid) => [
      "-p",
      String(pid),
    ]),
  ];
  const strace = spawn("strace", words, { stdio: "ignore" });
  const ended = once(strace, "exit");
  await sleep(during_ms);
  strace.kill("SIGINT");
  await ended;
  const total: Cost = { operations: 0, read: 0, written: 0, syncs: 0, beats: 0 };
  /** By process: strace tells the end of a call by itself when another process's came between. */
  const begun = new Map<string, string>();
  const add = (call: string, line: string): void => {
    const bytes = Math.max(0, Number(/ = (-?\d+)/.exec(line)?.[1] ?? 0));
    if (/^p?read/.test(call)) total.read += bytes;
    if (/^p?write/.test(call)) total.written += bytes;
  };
  for (const line of readFileSync(file, "utf8").split("\n")) {
    // "1234  pwrite64(3</volume/.leasehold/….beat>, ""..., 4096, 0) = 4096", or " <unfinished ...>" and then "<... pwrite64 resumed>) = 4096"
    const [, pid = "", text = ""] = /^(\d+) +(.*)/.exec(line) ?? [];
    if (text.startsWith("<... ")) {
      add(begun.get(pid) ?? "", text);
      begun.delete(pid);
      continue;
    }
    // The volume's checks are another matter: one comes whenever something is mounted on this machine.
    if (!text.includes(`${volume}/.leasehold`) || text.includes(".probe")) continue;
    total.operations++;
    if (/^(f|fdata)sync|^syncfs/.test(text)) total.syncs++;
    if (/^p?write/.test(text) && text.includes(".beat")) total.beats++;
    if (text.endsWith("<unfinished ...>")) begun.set(pid, text);
    else add(text, text);
  }
  return total;
}

async function costs(during_ms: number): Promise<Line[]> {
  return with_ends(async (ends) => {
    const { volume, holder, standby } = await pair(ends, "1h/3s×2");
    const lines: Line[] = [];
    for (const [role, contender] of [
      ["holder", holder],
      ["standby", standby],
    ] as const) {
      const { operations, read, written, syncs, beats } = await cost(contender, volume, during_ms);
      const s = during_ms / 1000;
      const each = (count: number): string => (count / s).toFixed(count / s < 10 ? 2 : 0);
      lines.push(
        single(
          `the volume lease's calls on the volume, ${role}, TTL 30 s, each second`,
          who,
          1,
          each(operations),
        ),
        single(`– bytes read, written, each second, ${role}`, who, 1, `${each(read)}, ${each(written)}`),
        single(`– syncs each second, ${role}`, who, 1, each(syncs)),
      );
      if (role === "holder") {
        const of_beat = syncs / beats;
        const reach = { reach: "≤ 2", reached: of_beat <= 2 };
        lines.push(single("– syncs for each beat", who, beats, of_beat.toFixed(2), reach));
      }
    }
    return lines;
  });
}

export const on_volumes: readonly Row[] = [
  {
    name: "file-killed",
    async measure(runs) {
      const values: number[] = [];
      for (let left = runs(20); left > 0; left--) values.push(await killed_once());
      const what =
        "`kill -9` of the controller → other app starts, after the tree is empty, TTL 30 s, a local disk";
      return { lines: [times(what, who, values, median_at_most(400))] };
    },
  },
  { name: "file-cost", measure: async (runs) => ({ lines: await costs(runs(30) * 1000) }) },
];
