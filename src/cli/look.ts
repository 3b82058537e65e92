import type { Command } from "commander";
import type { Config } from "../config/load.ts";
import { LockUnknown } from "../errors.ts";
import { boot_clock } from "../guard/boot-clock.ts";
import { fresh_uuid } from "../guard/kernel.ts";
import type { Lock, LockView } from "../lock/lock.ts";
import { open_lock } from "../lock/open.ts";
import { plain_time, real_time } from "../shell/time.ts";
import { read_config } from "./options.ts";
import { type Terminal, warn_all } from "./terminal.ts";

/** Opens the lock for looking at it: without registering, without a tenure. */
export type OpenLock = (config: Config) => Promise<Lock>;

export const open_to_look: OpenLock = async ({ lock, node, timing, credentials }) => {
  const identity = { holder: node, instance: fresh_uuid(), boot_id: "", address: null, volume_id: null };
  const { ttl_ms, attempt_ms } = timing;
  // A lock on a volume runs jobs, whose deadlines are the guard's kind of time.
  const time = lock.scheme === "file" ? real_time(await boot_clock()) : plain_time();
  return open_lock(lock, {
    identity,
    ttl_ms,
    attempt_ms,
    time,
    on_lost: () => {},
    credentials,
    register: false,
  });
};

/** How long the lock service is asked before it counts as unreachable: a server that is down costs an attempt. */
const patience_ms = 10_000;
const retry_ms = 250;

/** Opens the lock that the command line names, hands it to `use`, and closes it whatever happens. */
export async function with_lock(
  command: Command,
  terminal: Terminal,
  open: OpenLock,
  use: (lock: Lock) => Promise<void>,
): Promise<void> {
  const config = await read_config(command);
  warn_all(terminal, config);
  const lock = await open(config);
  try {
    await use(lock);
  } finally {
    await lock.close();
  }
}

/** What a quorum says; LockUnknown when none has said anything for a while. */
export async function look(lock: Lock): Promise<LockView> {
  const started = performance.now();
  for (;;) {
    try {
      return await lock.look();
    } catch (error) {
      if (!(error instanceof LockUnknown)) throw error;
      if (performance.now() - started > patience_ms) throw given_up(error);
      await sleep(retry_ms);
    }
  }
}

/** The backend says that it will be asked again; here it isn't. */
function given_up({ message, received, remedy }: LockUnknown): LockUnknown {
  const what = message.slice(0, message.length - remedy.length - "; ".length);
  return new LockUnknown(what, received, "check the address, the server and the way to it");
}

export function sleep(duration_ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, duration_ms));
}
