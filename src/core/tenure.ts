// What every state that holds the lock does alike: renew the proof, and move the guard's deadline with it.

import type { Effect } from "./effect.ts";
import type { Event } from "./event.ts";
import { deadline_of, end_of, type Proof } from "./lease.ts";
import type { Rules, Tenure } from "./state.ts";
import { ms_to_ns } from "./time.ts";

/** A server may grant more than was asked for; the guard was told that no deadline ever lies further ahead than that. */
function within(rules: Rules, { t0_ns, bound_ms }: Proof): Proof {
  return { t0_ns, bound_ms: Math.min(bound_ms, rules.timing.ttl_ms) };
}

export function open_tenure(
  rules: Rules,
  id: bigint,
  { token, lock_token, proof: granted, previous, previous_seen_ns }: Extract<Event, { type: "taken" }>,
): { tenure: Tenure; effects: Effect[] } {
  const proof = within(rules, granted);
  const tenure: Tenure = {
    id,
    token,
    lock_token,
    previous,
    previous_until_ns:
      previous?.state === "running" && previous_seen_ns !== null
        ? previous_seen_ns + ms_to_ns(previous.ttl_ms)
        : null,
    proof,
    asked_ns: null,
    renew_at_ns: proof.t0_ns + ms_to_ns(rules.timing.renew_ms),
    trouble: null,
    ours: true,
    open: true,
    marked: previous === null || previous.state === "clean",
    attached: false,
    touched: previous !== null && previous.state !== "clean" && previous.boot_id === rules.boot_id,
    restarts: 0,
    started_ns: null,
  };
  return { tenure, effects: [{ do: "deadline", tenure: id, deadline_ns: deadline(rules, tenure) }] };
}

/** When the guard begins the kill. */
export function deadline(rules: Pick<Rules, "timing">, tenure: Tenure): bigint {
  return deadline_of(tenure.proof, rules.timing);
}

/** When the app gets the stop signal, if no proof has come by then. */
export function soft_deadline(rules: Rules, tenure: Tenure): bigint {
  return deadline(rules, tenure) - ms_to_ns(rules.timing.loss_grace_ms);
}

/** The lock is ours, and for at least as long as the clock rates' difference allows to say so. */
export function is_provably_ours(tenure: Tenure, now_ns: bigint): boolean {
  return tenure.ours && now_ns < end_of(tenure.proof);
}

/** Asks for the next proof when it is due. One is under way at a time. */
export function renew(tenure: Tenure, now_ns: bigint): { tenure: Tenure; effects: Effect[] } {
  if (!tenure.ours || tenure.asked_ns !== null || now_ns < tenure.renew_at_ns) return { tenure, effects: [] };
  return { tenure: { ...tenure, asked_ns: now_ns }, effects: [{ do: "prove", tenure: tenure.id }] };
}

/** A proof never shortens what an earlier one has shown. */
function proved(rules: Rules, tenure: Tenure, granted: Proof): { tenure: Tenure; effects: Effect[] } {
  const proof = within(rules, granted);
  const best = end_of(proof) > end_of(tenure.proof) ? proof : tenure.proof;
  const renew_at_ns = proof.t0_ns + ms_to_ns(rules.timing.renew_ms);
  const renewed = { ...tenure, proof: best, asked_ns: null, renew_at_ns, trouble: null };
  if (best === tenure.proof || !tenure.open) return { tenure: renewed, effects: [] };
  return {
    tenure: renewed,
    effects: [{ do: "deadline", tenure: tenure.id, deadline_ns: deadline(rules, renewed) }],
  };
}

function unproved(rules: Rules, tenure: Tenure, because: string, now_ns: bigint): Tenure {
  const renew_at_ns = now_ns + ms_to_ns(rules.timing.retry_ms);
  return { ...tenure, asked_ns: null, renew_at_ns, trouble: because };
}

/** The three answers to `prove`, and the guard's refusal, for states in which they lead nowhere else. */
export function hear(
  rules: Rules,
  tenure: Tenure,
  event: Extract<Event, { type: "proved" | "unproved" | "deadline-refused" }>,
  now_ns: bigint,
): { tenure: Tenure; effects: Effect[] } {
  if (event.tenure !== tenure.id || !tenure.ours) return { tenure, effects: [] };
  switch (event.type) {
    case "proved":
      return proved(rules, tenure, event.proof);
    case "unproved":
      return { tenure: unproved(rules, tenure, event.because, now_ns), effects: [] };
    case "deadline-refused":
      // Any other refusal means that this deadline came too late to be one; the older one stands.
      return { tenure: { ...tenure, open: tenure.open && event.status !== "late" }, effects: [] };
  }
}
