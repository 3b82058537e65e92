// A lock whose record only a newer leasehold can read: stand by. And rules that change while somebody waits.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Event } from "../../src/core/event.ts";
import type { Rules, State } from "../../src/core/state.ts";
import { step, wake_at } from "../../src/core/step.ts";
import { with_rules } from "../../src/core/turn.ts";
import { rules } from "./a-contender.ts";

const s = 1_000_000_000n;
const newer: Event = { type: "unknown", because: "it is of a newer leasehold", newer: true };

function after(
  its: Rules,
  events: readonly (readonly [Event, bigint])[],
): { state: State; said: (string | null)[] } {
  let state: State = { at: "starting" };
  const said = events.map(([event, now_ns]) => {
    const taken = step(its, state, event, now_ns);
    state = taken.state;
    return taken.because;
  });
  return { state, said };
}

test("it waits, looks again every 2 s, and says so rarely", () => {
  const events: [Event, bigint][] = [[{ type: "begin" }, 0n]];
  for (let n = 0n; n < 8n; n++) events.push([newer, n * 2n * s], [{ type: "tick" }, (n + 1n) * 2n * s]);
  const { state, said } = after(rules, events.slice(0, -1));
  assert.equal(wake_at(rules, state), 16n * s);
  assert.deepEqual(
    said.filter((one) => one?.includes("newer") === true),
    Array.from({ length: 4 }, () => "it is of a newer leasehold (standing by until then)"),
  );
});

test("--when-busy exit: at once, and it counts as busy", () => {
  const { state } = after({ ...rules, when_busy: "exit" }, [
    [{ type: "begin" }, 0n],
    [newer, 0n],
  ]);
  assert.deepEqual(state, { at: "exited", code: 75, because: newer.because });
});

test("the wait is over: 75 for a newer one's, 69 for a service that can't be reached, each with the reason", () => {
  for (const [event, code] of [
    [newer, 75],
    [{ type: "unknown", because: "no answer" }, 69],
  ] as const) {
    const { state } = after({ ...rules, wait_timeout_ms: 1000 }, [
      [{ type: "begin" }, 0n],
      [event, 0n],
      [{ type: "tick" }, s],
    ]);
    assert.deepEqual(state, { at: "exited", code, because: `the wait is over: ${event.because}` });
  }
});

test("another patience counts from the beginning of the wait, also none any more", () => {
  const begun: [Event, bigint][] = [
    [{ type: "begin" }, 5n * s],
    [{ type: "busy", holder: null }, 5n * s],
  ];
  const { state } = after(rules, begun);
  assert.equal(wake_at(rules, state), null);
  const patient = { ...rules, wait_timeout_ms: 3000 };
  const changed = with_rules(state, patient);
  assert.equal(wake_at(patient, changed), 8n * s);
  assert.equal(wake_at(rules, with_rules(changed, rules)), null);
});
