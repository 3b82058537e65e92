// What all rows share: the servers, three of each kind, the copy of dist/ that is measured, the clock, and the end of it.

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, realpathSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { at_end } from "../../test/support/at-end.ts";
import type { Owner } from "../../test/support/contenders.ts";
import { start_etcd, type Etcd } from "../../test/support/etcd.ts";
import { compile } from "../../test/support/hand.ts";
import { ensemble, type Ensemble } from "../../test/support/zookeeper.ts";

const dist = join(import.meta.dirname, "../../dist");

/** dist/ as it was at the start: a build meanwhile changes nothing. */
const installed = mkdtempSync(join(tmpdir(), "leasehold-bench-"));
at_end('rm -rf -- "$1"', installed);
for (const name of ["leasehold", "leasehold.cjs", "controller.js", "controller.cache"])
  copyFileSync(join(dist, name), join(installed, name));
symlinkSync(realpathSync(join(dist, "node")), join(installed, "node"));
export const leasehold = join(installed, "leasehold");
export const node = join(installed, "node");

export const watch = compile("bench/watch.c");
export const spawner = compile("bench/spawn.c");

const slept_ns = BigInt(execFileSync(compile("bench/brain/clocks.c"), { encoding: "utf8" }).trim());
/** CLOCK_BOOTTIME, unless the machine is suspended meanwhile. */
export const now_ns = (): bigint => process.hrtime.bigint() + slept_ns;
export const ms_between = (from_ns: bigint, to_ns: bigint): number => Number(to_ns - from_ns) / 1e6;

/** Sees to the end of whatever is started for it, the last one first. */
export class Ends implements Owner {
  readonly #ends: (() => Promise<unknown>)[] = [];
  after(end: () => Promise<unknown>): void {
    this.#ends.push(end);
  }
  async end(): Promise<void> {
    for (let last = this.#ends.pop(); last; last = this.#ends.pop()) await last();
  }
}

/** Something that is started for it and ended after it, however it goes. */
export async function with_ends<T>(use: (ends: Ends) => Promise<T>): Promise<T> {
  const ends = new Ends();
  try {
    return await use(ends);
  } finally {
    await ends.end();
  }
}

export const tick_ms = 500;
/** Of the program: the servers live until its end. */
export const whole_run = new Ends();

let etcd_servers: Promise<Etcd> | undefined;
export function etcd(): Promise<Etcd> {
  return (etcd_servers ??= (async () => {
    const started = await start_etcd({ members: 3 });
    whole_run.after(started.end);
    await started.etcd.ready();
    return started.etcd;
  })());
}

let zookeeper_servers: Promise<Ensemble> | undefined;
export function zookeeper(): Promise<Ensemble> {
  return (zookeeper_servers ??= (async () => {
    const started = await ensemble({
      size: 3,
      tick_ms,
      config: ["maxSessionTimeout=60000", "4lw.commands.whitelist=srvr,mntr"],
    });
    whole_run.after(started.end);
    return started;
  })());
}
