// Many contenders in one process, without apps: pool.ts URL COUNT. It tells its parent of each lock taken, and gives it
// back when it is told to.

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { parse_lock_url } from "../../src/config/lock-url.ts";
import { LockUnknown } from "../../src/errors.ts";
import type { Lock } from "../../src/lock/lock.ts";
import { open_lock } from "../../src/lock/open.ts";
import { plain_time } from "../../src/shell/time.ts";

/** at_ns: of CLOCK_MONOTONIC, which all processes share. released: just before the release began. */
export type Told = { what: "standing" } | { what: "taken" | "released"; at_ns: string };

const tell = (told: Told): void => void process.send?.(told);
const now = (): string => String(process.hrtime.bigint());

async function contend(lock: Lock, stands: () => void): Promise<void> {
  for (;;) {
    try {
      const answer = await lock.take();
      if (answer.kind === "taken") {
        tell({ what: "taken", at_ns: now() });
        stands();
        await new Promise((resolve) => process.once("message", resolve));
        tell({ what: "released", at_ns: now() });
        await lock.release("clean");
        await sleep(1000); // the next one's turn
      } else {
        stands();
        await lock.wait(new AbortController().signal);
      }
    } catch (error) {
      if (!(error instanceof LockUnknown)) throw error;
      await sleep(250);
    }
  }
}

const [, , url = "", count = "1"] = process.argv;
process.on("disconnect", () => process.exit());
const where = parse_lock_url(url, "the URL");
for (let index = 0; index < Number(count); index++) {
  const identity = {
    holder: `pool-${process.pid}-${index}`,
    instance: randomUUID(),
    boot_id: "bench",
    address: null,
    volume_id: null,
  };
  const time = plain_time();
  const options = { identity, ttl_ms: 60_000, attempt_ms: 5000, time, on_lost: () => {}, register: true };
  const lock = await open_lock(where, options);
  // One after the other, so that the start is no storm.
  await new Promise<void>((resolve) => void contend(lock, resolve));
}
tell({ what: "standing" });
