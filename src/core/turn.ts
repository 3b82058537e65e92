import type { Context } from "./handlers.ts";
import type { Contending, Rules, State } from "./state.ts";
import { ms_to_ns } from "./time.ts";

/** A turn begins: the lock is asked for. last_id: of the tenure before. */
export function contend(last_id: bigint, { rules, now_ns }: Context): Contending {
  return {
    at: "contending",
    since_ns: now_ns,
    step: "taking",
    retry_at_ns: null,
    failures: 0,
    trouble: null,
    holder: null,
    last_id,
    give_up_ns: give_up_ns(rules, now_ns),
    quit: null,
  };
}

/** What the state holds of the rules' values, after they have changed. */
export function with_rules(state: State, rules: Rules): State {
  return state.at === "contending" ? { ...state, give_up_ns: give_up_ns(rules, state.since_ns) } : state;
}

function give_up_ns({ wait_timeout_ms }: Rules, since_ns: bigint): bigint | null {
  return wait_timeout_ms === null ? null : since_ns + ms_to_ns(wait_timeout_ms);
}
