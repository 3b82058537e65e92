import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { few, hesitation_ms } from "../../src/lock/crowd.ts";

test("a few ask at once", () => {
  for (let contenders = 0; contenders <= few; contenders++)
    assert.equal(
      hesitation_ms(contenders, () => 0.999),
      0,
    );
});

test("a crowd spreads out, over a bounded time, and the bigger it is the longer", () => {
  const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(fc.integer({ min: few + 1, max: 1_000_000 }), chance, (contenders, luck) => {
      const pause_ms = hesitation_ms(contenders, () => luck);
      assert.ok(pause_ms >= 0 && pause_ms <= 10_000);
      assert.ok(pause_ms <= hesitation_ms(contenders + 1, () => luck));
    }),
  );
  assert.ok(hesitation_ms(few + 1, () => 0.5) > 0);
});
