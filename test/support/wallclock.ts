// A wall clock that is wrong, for leasehold's controllers alone.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, copyFileSync, mkdtempSync, openSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { at_end } from "./at-end.ts";
import type { Owner } from "./contenders.ts";
import { guard } from "./hand.ts";

export type WallClock = { guard: string; set_s: (off_s: number) => void };

/** An hour back or forth, for at least so long. */
export async function jump_for(clock: WallClock, duration_ms: number, random: () => number): Promise<void> {
  for (const end = performance.now() + duration_ms; performance.now() < end; await sleep(random() * 500))
    clock.set_s(random() < 0.5 ? -3600 : 3600);
}

/** A guard whose controllers have the wall clock that set_s() makes wrong by so many seconds. */
export function wallclock(t: Owner): WallClock {
  const folder = mkdtempSync(join(tmpdir(), "leasehold-clock-"));
  const remove = at_end('rm -rf -- "$1"', folder);
  t.after(remove);
  const [clock, shim, dist] = [join(folder, "clock"), join(folder, "shim.so"), join(guard, "..")];
  const source = join(import.meta.dirname, "../fixtures/wallclock.c");
  const compile = 'cc -shared -fPIC -O1 -Wall -Werror -o "$0" "$1"';
  const { status, stderr } = spawnSync("sh", ["-c", compile, shim, source], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  writeFileSync(clock, Buffer.alloc(4096));
  for (const name of ["leasehold", "leasehold.cjs", "controller.js"])
    copyFileSync(join(dist, name), join(folder, name));
  const node = `#!/bin/sh\nWALLCLOCK=${clock} LD_PRELOAD=${shim} exec ${process.execPath} "$@"\n`;
  writeFileSync(join(folder, "node"), node, { mode: 0o755 });
  const set_s = (off_s: number): void => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(off_s));
    const file = openSync(clock, "r+");
    writeSync(file, bytes, 0, 8, 0);
    closeSync(file);
  };
  return { guard: join(folder, "leasehold"), set_s };
}
