import { ConfigError, exitCodes, Failure, UsageError } from "../errors.ts";
import { can_see_us, controller_of, type LocalGuard, local_guards } from "../guard/page.ts";

/** There is no leasehold here that holds its lock and runs its app. */
export class NotHolding extends Failure {
  readonly code = "not-holding";
  readonly exitCode = exitCodes.busy;
}

/** The leasehold that a command is about: the only one here, or --pid. */
export function local_guard(pid: string | undefined): LocalGuard {
  const all = local_guards();
  const pids = all.map((guard) => guard.pid).join(", ");
  if (pid !== undefined) {
    const found = all.find((guard) => String(guard.pid) === pid);
    if (found) return found;
    const what = `process ${pid.slice(0, 20)} is no leasehold of this user in this container`;
    throw new UsageError(what, pid, all.length === 0 ? "none runs here" : `these are: ${pids}`);
  }
  const [only, another] = all;
  if (only === undefined) {
    throw new NotHolding(
      "no leasehold of this user runs here",
      "",
      "call it in the container and as the user of leasehold run, e.g. by docker exec",
    );
  }
  if (another) {
    throw new UsageError(
      `${all.length} leaseholds run here, processes ${pids}`,
      pids,
      "choose one with --pid",
    );
  }
  return only;
}

/** The controller of one that can hold its lock, for what it must not outlive: it has to see us. */
export function seeing_controller(guard: LocalGuard): number {
  const controller = controller_of(guard);
  if (controller === null) throw not_holding(guard);
  if (can_see_us(controller)) return controller;
  throw new ConfigError(
    `this process has capabilities that leasehold, process ${guard.pid}, has not`,
    String(guard.pid),
    "call it without --privileged, as leasehold itself was started",
  );
}

export function not_holding({ pid }: LocalGuard): NotHolding {
  return new NotHolding(
    `leasehold, process ${pid}, doesn't hold the lock with its app running`,
    String(pid),
    "ask leasehold status who does",
  );
}
