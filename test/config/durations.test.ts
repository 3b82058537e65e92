import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { duration_max_ms, format_duration, parse_duration } from "../../src/config/durations.ts";
import { refusal } from "./refusal.ts";

const good = [
  ["30s", 30_000],
  ["1.5s", 1500],
  ["0.1s", 100],
  ["250ms", 250],
  ["2m", 120_000],
  ["1h", 3_600_000],
  ["596h", 2_145_600_000],
  ["0s", 0],
  ["0", 0],
] as const;
for (const [text, duration_ms] of good) {
  test(`${text} is ${duration_ms} ms`, () => assert.equal(parse_duration(text, "--ttl"), duration_ms));
}

const bad = [
  ["", /^78 --ttl is empty; write e\.g\. 30s/],
  ["  ", /^78 --ttl is empty/],
  ["30", /^78 --ttl is "30", without a unit; write e\.g\. 30s$/],
  ["1.5", /without a unit; write e\.g\. 1\.5s$/],
  ["-5s", /^78 --ttl is "-5s", which is negative; /],
  ["-0", /negative/],
  ["30 s", /no duration/],
  ["30S", /no duration/],
  ["30sec", /no duration/],
  ["1m30s", /no duration/],
  ["1e3s", /no duration/],
  [".5s", /no duration/],
  ["5.s", /no duration/],
  ["+5s", /no duration/],
  ["30s\n", /no duration/],
  ["٣s", /no duration/],
  ["Infinity", /no duration/],
  ["597h", /^78 --ttl is "597h", which is more than 24 days; shorten it$/],
  ["999999999999999h", /more than 24 days/],
  ["9999999999999999999999s", /no duration/],
  ["0.5ms", /finer than 1ms/],
  ["1.0005s", /finer than 1ms/],
] as const;
for (const [text, sentence] of bad) {
  test(`${JSON.stringify(text)} is refused`, async () => {
    assert.match(await refusal(() => parse_duration(text, "--ttl")), sentence);
  });
}

test("a refused value is shown on one line and cut", async () => {
  const sentence = await refusal(() => parse_duration(`\u001b[31m\n${"x".repeat(10_000)}`, "--ttl"));
  assert.ok(sentence.length < 250);
  // eslint-disable-next-line no-control-regex
  assert.doesNotMatch(sentence, /[\u0000-\u001f]/);
});

test("what format_duration writes is read as the same", () => {
  const durations = fc.integer({ min: 0, max: duration_max_ms });
  fc.assert(fc.property(durations, (ms) => parse_duration(format_duration(ms), "it") === ms));
});

test("any text is read or refused with a sentence", () => {
  fc.assert(
    fc.asyncProperty(fc.string(), async (text) => {
      const sentence = await refusal(() => parse_duration(text, "--ttl"));
      return sentence === "not refused" || sentence.startsWith("78 --ttl is ");
    }),
  );
});
