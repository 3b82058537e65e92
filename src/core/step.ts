import { contending, starting } from "./contending.ts";
import type { Step } from "./effect.ts";
import type { Event } from "./event.ts";
import { draining, post_stop, releasing } from "./after.ts";
import { type Context, type Handlers, stay } from "./handlers.ts";
import { check_step } from "./invariants.ts";
import { preparing } from "./preparing.ts";
import { running } from "./running.ts";
import type { Rules, State } from "./state.ts";
import { stopping } from "./stopping.ts";
import { deadline, soft_deadline } from "./tenure.ts";
import { end_of } from "./lease.ts";

/**
 * One contender's whole behaviour. Pure. now_ns: CLOCK_BOOTTIME, never ahead of the true one. Throws only when one of its own
 * invariants is broken: that is a defect, and the controller dies of it (the guard then does what is left to do).
 */
export function step(rules: Rules, state: State, event: Event, now_ns: bigint): Step {
  const taken = dispatch(state, event, { rules, now_ns });
  check_step(rules, state, event, taken, now_ns);
  return taken;
}

function dispatch(state: State, event: Event, context: Context): Step {
  switch (state.at) {
    case "starting":
      return answer(starting, state, event, context);
    case "contending":
      return answer(contending, state, event, context);
    case "preparing":
      return answer(preparing, state, event, context);
    case "running":
      return answer(running, state, event, context);
    case "stopping":
      return answer(stopping, state, event, context);
    case "draining":
      return answer(draining, state, event, context);
    case "post-stop":
      return answer(post_stop, state, event, context);
    case "releasing":
      return answer(releasing, state, event, context);
    case "exited":
      return stay(state);
  }
}

function answer<S extends State>(handlers: Handlers<S>, state: S, event: Event, context: Context): Step {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the table's type ties each event to its handler
  const handler = handlers[event.type] as (state: S, event: Event, context: Context) => Step;
  return handler(state, event, context);
}

/** When the next tick is due; null: never. */
export function wake_at(rules: Rules, state: State): bigint | null {
  switch (state.at) {
    case "starting":
    case "exited":
      return null;
    case "contending":
      return earliest(state.retry_at_ns, state.step === "taking" ? null : state.give_up_ns);
    case "preparing":
      return earliest(
        renewal(state),
        deadline(rules, state.tenure),
        state.mark_at_ns,
        state.rest?.until_ns ?? null,
        state.step === "outwaiting" ? state.tenure.previous_until_ns : null,
      );
    case "running":
      return earliest(
        renewal(state),
        rules.timing.loss_grace_ms > 0 ? soft_deadline(rules, state.tenure) : null,
        state.ready_by_ns,
      );
    case "stopping":
      return earliest(
        renewal(state),
        state.kill_at_ns,
        state.undead === null ? null : end_of(state.tenure.proof),
      );
    case "draining":
    case "post-stop":
      return renewal(state);
    case "releasing":
      return state.retry_at_ns;
  }
}

function renewal({
  tenure,
}: {
  tenure: { ours: boolean; asked_ns: bigint | null; renew_at_ns: bigint };
}): bigint | null {
  return tenure.ours && tenure.asked_ns === null ? tenure.renew_at_ns : null;
}

function earliest(...times: (bigint | null)[]): bigint | null {
  return times.reduce(
    (first, time) => (first === null || (time !== null && time < first) ? time : first),
    null,
  );
}
