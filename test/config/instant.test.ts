import assert from "node:assert/strict";
import { test } from "node:test";
import { format_instant, parse_instant } from "../../src/config/instant.ts";

test("a point in time has a zone, and is in the calendar", () => {
  const as_given = (text: string): string => format_instant(parse_instant(text, "--target-time"));
  assert.equal(as_given("2026-11-25T03:00:00Z"), "2026-11-25 03:00:00.000+00:00");
  assert.equal(as_given("2026-11-25 03:00+01:00"), "2026-11-25 02:00:00.000+00:00");
  assert.equal(as_given("2024-02-29t23:59:59.5z"), "2024-02-29 23:59:59.500+00:00");
  assert.equal(as_given(as_given("2026-11-25T03:00:00Z")), "2026-11-25 03:00:00.000+00:00");
  const table: [string, RegExp][] = [
    ["yesterday", /^--target-time is "yesterday", which is no point in time$/],
    ["2026-11-25T03:00:00", /which has no time zone$/],
    ["2026-02-30T03:00:00Z", /which is in no calendar$/],
    ["2026-11-25T25:00:00Z", /which is in no calendar$/],
    ["2026-11-25T03:00:00+99:00", /which is in no calendar$/],
  ];
  for (const [text, why] of table)
    assert.throws(
      () => parse_instant(text, "--target-time"),
      (error: Error) => {
        assert.match(error.message.split(";")[0] ?? "", why);
        return true;
      },
    );
});
