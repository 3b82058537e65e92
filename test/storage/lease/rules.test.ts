// The rules of docs/volume-lease.md, each by a scene of its own.

import assert from "node:assert/strict";
import { test } from "node:test";
import { flaw_of_beat, look_from_ns, sweepable, verdict_of_look } from "../../../src/storage/lease/rules.ts";
import { encode_beat } from "../../../src/storage/lease/format.ts";
import { highest_claim, record_of } from "../../../src/storage/lease/scene.ts";
import { Sightings } from "../../../src/storage/lease/sightings.ts";
import { a_beat, a_claim, a_record, scene, tv_ms, uuid, type Volume, volume_id } from "./scenes.ts";

const [A, B, C] = [uuid(1), uuid(2), uuid(3)];
const own = { instance: B, claim: 2n, volume_id };
const mine: Volume = {
  claims: [a_claim({ instance: A, claim: 1n }), a_claim({ instance: B, claim: 2n })],
  beats: [a_beat({ instance: B, claim: 2n, state: "claiming", seq: 4 })],
};
const a = (seq: number, more = {}) => a_beat({ instance: A, claim: 1n, seq, ...more });
const with_a = (seq: number, more = {}): Volume => ({
  ...mine,
  beats: [...(mine.beats ?? []), a(seq, more)],
});

/** What has been seen, in this order. */
function seen(view_age_ms: number, ...volumes: [at_ms: number, Volume][]) {
  const sightings = new Sightings(view_age_ms, new Set([B]));
  let last = scene(0, {});
  for (const [at_ms, volume] of volumes) sightings.see((last = scene(at_ms, volume)));
  return { sightings, last };
}

test("R3: a beat counts with its claim, itself, and nothing above it", () => {
  assert.equal(flaw_of_beat(own, 4, scene(0, mine)), null);
  assert.match(flaw_of_beat(own, 5, scene(0, mine))?.because ?? "", /isn't there as it was written/);
  const [of_a] = mine.claims ?? [];
  const gone = scene(0, { ...mine, claims: of_a ? [of_a] : [] });
  assert.match(flaw_of_beat(own, 4, gone)?.because ?? "", /claim 2 isn't there/);
  const another = scene(0, { ...mine, claims: [a_claim({ instance: C, claim: 2n })] });
  assert.match(flaw_of_beat(own, 4, another)?.because ?? "", /claim 2 isn't there/);
  assert.match(
    flaw_of_beat(own, 4, scene(0, { ...mine, id: uuid(9) }))?.because ?? "",
    /volume .* isn't there/,
  );
});

test("R3: a higher claim, until it is withdrawn; once it runs, for ever", () => {
  const above = (state: "claiming" | "running" | "released"): Volume => ({
    claims: [...(mine.claims ?? []), a_claim({ instance: C, claim: 3n })],
    beats: [...(mine.beats ?? []), a_beat({ instance: C, claim: 3n, state })],
  });
  assert.deepEqual(flaw_of_beat(own, 4, scene(0, above("claiming"))), {
    because: "n3 has made the higher claim 3",
    final: false,
  });
  assert.equal(flaw_of_beat(own, 4, scene(0, above("running")))?.final, true);
  assert.equal(flaw_of_beat(own, 4, scene(0, above("released"))), null);
  const beatless = { ...mine, claims: [...(mine.claims ?? []), a_claim({ instance: C, claim: 3n })] };
  assert.equal(flaw_of_beat(own, 4, scene(0, beatless))?.final, false);
  const unreadable = { ...mine, raw: { "9.claim": "?" } };
  assert.match(flaw_of_beat(own, 4, scene(0, unreadable))?.because ?? "", /higher claim 9/);
  const restored = { ...mine, claims: [...(mine.claims ?? []), a_claim({ instance: null, claim: 900n })] };
  assert.equal(flaw_of_beat(own, 4, scene(0, restored)), null, "the operator's claim binds nobody");
});

test("R4: silent only after the recorded length, from the end of the first read to the start of the newest", () => {
  const long = { tv_ms: 2 * tv_ms };
  // Trap 10: its own length, not ours. Trap 11: and what clocks may differ.
  const almost = seen(0, [0, with_a(1, long)], [2 * tv_ms + 24, with_a(1, long)]);
  assert.equal(almost.sightings.is_silent(A), false);
  const over = seen(0, [0, with_a(1, long)], [2 * tv_ms + 25, with_a(1, long)]);
  assert.equal(over.sightings.is_silent(A), true);
  const changed = seen(0, [0, with_a(1)], [tv_ms, with_a(2)], [tv_ms + 100, with_a(2)]);
  assert.equal(changed.sightings.is_silent(A), false);
  assert.equal(seen(0, [0, with_a(1, { state: "released" })]).sightings.is_silent(A), true);
});

test("R4: unreadable counts as changed, each time", () => {
  const torn: Volume = { ...mine, raw: { [`${A}.beat`]: "torn" } };
  assert.equal(seen(0, [0, torn], [9 * tv_ms, torn], [99 * tv_ms, torn]).sightings.is_silent(A), false);
  const mended = seen(0, [0, with_a(1)], [tv_ms / 2, torn], [tv_ms + 20, with_a(1)]);
  assert.equal(mended.sightings.is_silent(A), false, "it counts anew after a torn read");
});

test("R4: a beat that is torn behind its checksum counts by its bytes: nothing was written since", () => {
  const of = (seq: number): Volume => {
    const text = encode_beat(a(seq)).toString("latin1", 0, 200);
    return { ...mine, raw: { [`${A}.beat`]: `${text}}\n` } };
  };
  const { sightings, last } = seen(0, [0, of(1)], [tv_ms / 2, of(2)], [1.5 * tv_ms + 20, of(2)]);
  assert.equal(sightings.is_silent(A), true);
  assert.equal(verdict_of_look(own, last, sightings).kind, "start");
  assert.deepEqual(sweepable(own, last, sightings), { claims: [], beats: [A] }, "its claim tells its length");
  const early = seen(0, [0, of(1)], [tv_ms / 2, of(2)], [1.5 * tv_ms + 5, of(2)]);
  assert.equal(early.sightings.is_silent(A), false);
  assert.equal(verdict_of_look(own, early.last, early.sightings).kind, "withdraw", "it may be an incumbent");
  const unclaimed = (seq: number): Volume => ({ ...of(seq), claims: mine.claims?.slice(1) ?? [] });
  const nobody = seen(0, [0, unclaimed(1)], [9 * tv_ms, unclaimed(1)]).sightings;
  assert.equal(nobody.is_silent(A), false, "nobody knows how long its lease is");
  assert.ok(nobody.is_hopeless(A) && !sightings.is_hopeless(A));
});

test("R4: missing counts from after our own claim, and with the age of views", () => {
  const view_age_ms = 1000;
  const { sightings } = seen(view_age_ms, [0, mine], [5 * tv_ms, mine]);
  // Trap 12: seen missing for long, but before our claim was acknowledged.
  sightings.forget_missing();
  sightings.see(scene(6 * tv_ms, mine));
  sightings.see(scene(7 * tv_ms + view_age_ms, mine));
  assert.equal(sightings.is_silent(A), false);
  sightings.see(scene(7 * tv_ms + view_age_ms + 16, mine));
  assert.equal(sightings.is_silent(A), true);
});

test("seen alive, and now without a trace: waited for, and then forgotten", () => {
  const bare: Volume = { claims: [a_claim({ instance: B, claim: 2n })] };
  const { sightings } = seen(0, [0, with_a(1)], [1000, bare], [tv_ms, bare]);
  assert.equal(sightings.is_silent(A), false);
  sightings.see(scene(tv_ms + 1020, bare));
  assert.equal([...sightings.instances].includes(A), false);
  const released = seen(0, [0, with_a(1, { state: "released" })], [1, bare]);
  assert.equal([...released.sightings.instances].includes(A), false);
});

test("R5.4, R9: when the look may begin", () => {
  const ms = (ns: bigint): number => Number(ns) / 1e6;
  const plain = { tv_ms, view_age_ms: 0, paranoid: false };
  assert.equal(look_from_ns(5n, plain, false), 5n);
  // Trap 5.
  assert.equal(ms(look_from_ns(0n, { ...plain, view_age_ms: 1000 }, false)), 2002);
  // Trap 13, and a volume whose claims are gone.
  assert.equal(ms(look_from_ns(0n, { ...plain, paranoid: true }, false)), 10_010);
  assert.equal(ms(look_from_ns(0n, { ...plain, view_age_ms: 1000 }, true)), 11_011);
});

test("R5.4: what the look shows", () => {
  const verdict = (...volumes: [number, Volume][]) => {
    const { sightings, last } = seen(0, ...volumes);
    return verdict_of_look(own, last, sightings);
  };
  assert.equal(verdict([0, with_a(1, { state: "released" })]).kind, "start");
  assert.equal(verdict([0, with_a(1)], [tv_ms + 20, with_a(1)]).kind, "start");
  // The incumbent stays.
  assert.equal(verdict([0, with_a(1)], [tv_ms, with_a(2)]).kind, "withdraw");
  // Trap 1: who is claiming has to be silent, too.
  assert.equal(verdict([0, with_a(1, { state: "claiming" })]).kind, "wait");
  assert.equal(verdict([0, mine]).kind, "wait", "named by a claim, and missing");
  const torn: Volume = { ...mine, raw: { [`${A}.beat`]: "torn" } };
  assert.equal(verdict([0, torn]).kind, "withdraw");
  const above: Volume = { ...mine, claims: [...(mine.claims ?? []), a_claim({ instance: C, claim: 3n })] };
  assert.equal(verdict([0, above], [9 * tv_ms, above]).kind, "withdraw");
  // Its claim was removed by hand: whoever comes below it would run under a lower token.
  const ran = a_beat({ instance: C, claim: 3n, state: "released" });
  const unclaimed: Volume = { ...mine, beats: [...(mine.beats ?? []), ran, a(1, { state: "released" })] };
  assert.equal(verdict([0, unclaimed]).kind, "withdraw");
  const unreadable: Volume = { ...with_a(1, { state: "released" }), raw: { "1.claim": "?" }, claims: [] };
  assert.equal(verdict([0, unreadable]).kind, "withdraw");
  assert.equal(verdict([0, { ...with_a(1, { state: "released" }), id: uuid(9) }]).kind, "withdraw");
});

test("R8: claims first, never the newest or the own; beats only of who is over and unnamed", () => {
  const claims = [0n, 1n, 2n, 3n].map((claim) =>
    a_claim({ instance: claim === 0n ? null : uuid(Number(claim)), claim }),
  );
  const beats = [
    a_beat({ instance: B, claim: 2n }),
    a(1, { state: "released" }),
    a_beat({ instance: C, claim: 3n, state: "released" }),
    a_beat({ instance: uuid(8), claim: 0n, state: "released" }),
    a_beat({ instance: uuid(9), claim: 0n }),
  ];
  const { sightings, last } = seen(0, [0, { claims, beats }]);
  assert.deepEqual(sweepable(own, last, sightings), { claims: [0n, 1n], beats: [uuid(8)] });
  const { sightings: living, last: look } = seen(0, [0, { claims, beats: [beats[0] ?? a(1), a(1)] }]);
  assert.deepEqual(sweepable(own, look, living), { claims: [0n], beats: [] });
});

test("the record beside the lock is that of the last one that ran", () => {
  const clean = a_record(1n, { state: "clean" });
  const of = (volume: Volume) => record_of(scene(0, volume));
  assert.deepEqual(of(with_a(1, { state: "released", ran: true, record: clean })), clean);
  // Who only claimed, withdrawn or not, hides nobody.
  const withdrawn = a_beat({ instance: B, claim: 2n, state: "released", ran: false });
  assert.deepEqual(of({ ...mine, beats: [withdrawn, a(1)] })?.claim, "1");
  // Whose beat is gone may have run.
  assert.equal(of({ claims: [a_claim({ instance: A, claim: 1n })] })?.holder, "n1");
  const unfenced = a_record(5n);
  const heir = a_claim({ instance: A, claim: 6n, record: unfenced });
  assert.deepEqual(of({ claims: [heir] }), unfenced);
  assert.equal(of({ claims: [a_claim({ instance: null, claim: 0n, self: null })] }), null);
  assert.equal(of({}), null);
});

test("the counter goes on where claims were removed and beats were not", () => {
  assert.equal(highest_claim(scene(0, { beats: [a_beat({ instance: A, claim: 41n })] })), 41n);
  assert.equal(highest_claim(scene(0, {})), 0n);
});
