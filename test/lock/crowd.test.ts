import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { few, hesitation_ms } from "../../src/lock/crowd.ts";
import { Line } from "../../src/lock/line.ts";
import { real_time } from "./contract.ts";

/** Where this one is among these, which are all there are. */
async function in_line(name: string, names: string[]): Promise<Line> {
  const line = new Line(name, { time: real_time, ttl_ms: 10_000 });
  await line.look({ count: () => Promise.resolve(names.length), names: () => Promise.resolve(names) });
  return line;
}

test("those in front ask one after the other, the last holder left out; all of a few, and where it isn't known who that was, at once", async () => {
  const names = ["e", "d", "c", "b", "a"];
  const waits = async (holder?: string): Promise<number[]> =>
    Promise.all(["a", "b", "c"].map(async (name) => (await in_line(name, names)).hesitation_ms(holder)));
  const [first, second = 0, third] = await waits("d");
  assert.ok(first === 0 && second > 0 && third === 2 * second);
  assert.deepEqual(await waits("a"), [0, 0, second]);
  assert.deepEqual(await waits(), [0, 0, 0]);
  const behind = (await in_line("d", names)).hesitation_ms("a");
  assert.ok(behind > third, "those behind come after all in front");
  for (const name of ["a", "b", "c"])
    assert.equal((await in_line(name, ["a", "b", "c"])).hesitation_ms("z"), 0);
});

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
