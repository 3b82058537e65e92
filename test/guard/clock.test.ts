import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Clock } from "../../src/guard/clock.ts";

test("it is never ahead of the true clock, and as near to it as the fastest frame", () => {
  const frames = fc.array(
    fc.record({ wait_ns: fc.bigInt(0n, 10n ** 9n), delay_ns: fc.bigInt(0n, 10n ** 8n) }),
    {
      minLength: 1,
    },
  );
  fc.assert(
    fc.property(fc.bigInt(0n, 10n ** 15n), frames, (offset_ns, arrivals) => {
      let hrtime_ns = 1n;
      const clock = new Clock(() => hrtime_ns);
      let fastest_ns = 10n ** 9n;
      for (const { wait_ns, delay_ns } of arrivals) {
        hrtime_ns += wait_ns + delay_ns;
        clock.sample(hrtime_ns + offset_ns - delay_ns); // stamped when it was sent
        if (delay_ns < fastest_ns) fastest_ns = delay_ns;
        assert.equal(hrtime_ns + offset_ns - clock.now_ns(), fastest_ns);
      }
    }),
  );
});

test("a suspend shows with the next frame, and an instant read before it stays as it was", () => {
  let hrtime_ns = 1000n;
  const clock = new Clock(() => hrtime_ns);
  clock.sample(5000n);
  const t0 = clock.now_ns();
  hrtime_ns = 2000n; // 1000 ns awake; 60 s asleep that hrtime didn't count
  assert.equal(clock.now_ns() - t0, 1000n);
  clock.sample(6000n + 60_000_000_000n);
  assert.equal(clock.now_ns() - t0, 60_000_001_000n);
});

test("a late frame doesn't set it back", () => {
  let hrtime_ns = 1000n;
  const clock = new Clock(() => hrtime_ns);
  clock.sample(5000n);
  hrtime_ns = 9000n;
  clock.sample(5500n);
  assert.equal(clock.now_ns(), 13_000n);
});

test("before the guard's first frame there is no time", () => {
  assert.throws(() => new Clock().now_ns(), /before the guard's welcome/);
});
