import type { Step } from "./effect.ts";
import type { Event } from "./event.ts";
import { deadline_of, end_of } from "./lease.ts";
import type { Rules, State, Tenure } from "./state.ts";

/** A broken invariant of the core: a defect of leasehold. */
class Broken extends Error {}

/** Checked after every step, in production and in simulation. */
export function check_step(
  rules: Rules,
  before: State,
  event: Event,
  { state, effects }: Step,
  now_ns: bigint,
): void {
  const holds = (condition: boolean, what: string): void => {
    if (!condition) throw new Broken(`${what}: in state ${before.at} after ${event.type}`);
  };
  const tenure = tenure_of(state) ?? tenure_of(before);
  for (const effect of effects) {
    switch (effect.do) {
      case "start":
        holds(
          state.at === "running" && before.at === "preparing",
          "an app is started only when everything before it is done",
        );
        holds(
          tenure !== null && tenure.ours && tenure.open && tenure.marked,
          "an app is started only under a lock that is ours",
        );
        holds(
          tenure !== null && now_ns < deadline_of(tenure.proof, rules.timing),
          "an app is started only before the deadline",
        );
        break;
      case "deadline":
        holds(tenure?.id === effect.tenure, "a deadline is that of the tenure at hand");
        holds(
          tenure !== null && effect.deadline_ns <= deadline_of(tenure.proof, rules.timing),
          "a deadline never lies beyond what was proved",
        );
        break;
      case "release":
        holds(
          state.at === "releasing" && is_empty(before, event),
          "the lock is given back only when nothing of the app is left",
        );
        holds(
          effect.state === "as-found" || (tenure !== null && tenure.marked),
          "the record of one who was not fenced stays",
        );
        break;
      case "exit":
        holds(state.at === "exited", "an exit is an end");
        break;
      default:
        break;
    }
  }
  const [old, now] = [tenure_of(before), tenure_of(state)];
  if (old && now) {
    holds(now.id >= old.id, "tenure ids grow");
    if (now.id === old.id) holds(end_of(now.proof) >= end_of(old.proof), "a proof never shortens a lease");
  }
}

function tenure_of(state: State): Tenure | null {
  return "tenure" in state ? state.tenure : null;
}

/** Nothing of the app, and no hook, is alive after this event. */
function is_empty(before: State, event: Event): boolean {
  switch (before.at) {
    case "running":
      return event.type === "empty" || event.type === "start-refused";
    case "stopping":
      if (before.awaited === "hook") return event.type === "hook-done";
      return event.type === "empty" || event.type === "start-refused";
    case "preparing":
      return (
        !["fence", "attach", "verify", "restore", "data", "pre-start"].includes(before.step) ||
        event.type === "hook-done"
      );
    case "post-stop":
      return event.type === "hook-done";
    case "contending":
    case "draining":
    case "releasing":
      return true;
    case "starting":
    case "exited":
      return false;
  }
}
