// The rules of docs/volume-lease.md that judge a scene. Pure.

import { clock_rate_bound } from "../../core/lease.ts";
import { highest_claim, is_withdrawn, type Scene } from "./scene.ts";
import { at_least_ns, silence_ns, type Sightings } from "./sightings.ts";

/** The instance that judges. */
export type Own = { instance: string; claim: bigint; volume_id: string };

/** because: the end of a sentence that begins with "the volume lease: ". final: no later beat can count. */
export type Flaw = { because: string; final: boolean };

/** R3: what keeps a beat from counting, as the look after it shows; null: nothing. seq: the beat's. */
export function flaw_of_beat(own: Own, seq: number, scene: Scene): Flaw | null {
  const { identity, claims, beats } = scene;
  if (identity?.value?.id !== own.volume_id)
    return { because: `the volume ${own.volume_id} isn't there any more`, final: false };
  if (claims.get(own.claim)?.value?.instance !== own.instance)
    return { because: `its claim ${own.claim} isn't there any more`, final: false };
  const higher = higher_claim(own, scene, true);
  if (higher !== null) return higher;
  if (beats.get(own.instance)?.value?.seq !== seq)
    return { because: "its beat isn't there as it was written", final: false };
  return null;
}

/** R3, R5.4: a higher claim, withdrawn ones left out on demand. Once it runs, ours is over. */
function higher_claim(own: Own, scene: Scene, but_withdrawn: boolean): Flaw | null {
  for (const [n, claim] of scene.claims) {
    if (n <= own.claim || (but_withdrawn && is_withdrawn(scene, claim))) continue;
    const by = claim.value?.instance ?? "";
    const runs = scene.beats.get(by)?.value?.state === "running";
    const who = claim.value?.self?.holder ?? "somebody";
    const because = `${who} has made the higher claim ${n}${runs ? " and runs" : ""}`;
    return { because, final: runs };
  }
  return null;
}

export type Timing = { tv_ms: number; view_age_ms: number; paranoid: boolean };

/**
 * R5.4: the looks that decide begin at or after this, counted from the acknowledgement of the own claim: whoever didn't see
 * that claim has written its last counting beat before C + A, which is seen by C + 2A. all: wait for whatever may have run
 * without a trace: after a rollback (R9), or where there was no claim at all.
 */
export function look_from_ns(
  claimed_ns: bigint,
  { tv_ms, view_age_ms, paranoid }: Timing,
  all: boolean,
): bigint {
  const views_ns = at_least_ns(2 * view_age_ms * (1 + clock_rate_bound));
  const whole_ns = silence_ns(tv_ms + view_age_ms);
  return claimed_ns + (paranoid || all ? (whole_ns > views_ns ? whole_ns : views_ns) : views_ns);
}

/** start: everybody else is silent. withdraw: this claim has come to nothing. wait: look again, not before in_ns have passed. */
export type Verdict =
  | { kind: "start" }
  | { kind: "withdraw"; because: string }
  | { kind: "wait"; instance: string; in_ns: bigint };

/** R5.4: what the look shows. The scene began late enough, and the sightings have seen it. */
export function verdict_of_look(own: Own, scene: Scene, sightings: Sightings): Verdict {
  if (scene.identity?.value?.id !== own.volume_id)
    return { kind: "withdraw", because: `the volume ${own.volume_id} isn't there any more` };
  // Also one that is withdrawn: its app may have run meanwhile, with a greater token than ours would be.
  const higher = higher_claim(own, scene, false);
  if (higher) return { kind: "withdraw", because: higher.because };
  // An operator may have removed the claim and left the beat of who ran under it.
  const highest = highest_claim(scene);
  if (highest > own.claim) return { kind: "withdraw", because: `a beat names the higher claim ${highest}` };
  const unreadable = unreadable_claim(scene);
  if (unreadable !== null) return { kind: "withdraw", because: unreadable };
  let wait: Verdict | null = null;
  for (const instance of others(own, scene, sightings)) {
    if (sightings.is_silent(instance)) continue;
    const state = sightings.state_of(instance);
    const n = scene.beats.get(instance)?.value?.claim ?? scene.named.get(instance)?.claim ?? 0n;
    const in_ns = sightings.silent_in_ns(instance);
    // The incumbent stays. Who can't be read may be one.
    if (state === "running" || in_ns === null || n > own.claim)
      return { kind: "withdraw", because: `${instance} shows life (claim ${n}, ${state})` };
    if (wait?.kind !== "wait" || in_ns > wait.in_ns) wait = { kind: "wait", instance, in_ns };
  }
  return wait ?? { kind: "start" };
}

function others(own: Pick<Own, "instance">, scene: Scene, sightings: Sightings): Set<string> {
  const all = new Set([...sightings.instances, ...scene.beats.keys()]);
  all.delete(own.instance);
  return all;
}

/** Nobody knows whom it names. */
export function unreadable_claim({ claims }: Scene): string | null {
  for (const [n, { wrong }] of claims) if (wrong !== null) return `${n}.claim ${wrong}`;
  return null;
}

/**
 * R8: what may be removed. Claims first, never the newest and never the own; then beats of ended or silent instances that no claim
 * names in this scene. What nobody needs but isn't silent stays: removing it would cost a living incumbent its run. A torn beat goes
 * before the claim that names it: alone nobody could tell how long its lease is.
 */
export function sweepable(
  own: Own,
  scene: Scene,
  sightings: Sightings,
): { claims: bigint[]; beats: string[] } {
  const newest = [...scene.claims.keys()].reduce((most, n) => (n > most ? n : most), 0n);
  const over = (instance: string | null): boolean => instance === null || sightings.is_silent(instance);
  const is_torn = (instance: string | null): boolean => scene.beats.get(instance ?? "")?.value === null;
  const claims = [...scene.claims].filter(
    ([n, { value }]) =>
      n < newest && n !== own.claim && value !== null && over(value.instance) && !is_torn(value.instance),
  );
  const beats = [...scene.beats].filter(
    ([instance]) =>
      instance !== own.instance && over(instance) && (is_torn(instance) || !scene.named.has(instance)),
  );
  return { claims: claims.map(([n]) => n), beats: beats.map(([instance]) => instance) };
}
