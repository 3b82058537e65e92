import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { plain_volume } from "../../src/config/volume.ts";
import { judge, no_misses, type Verdict, verdict_of } from "../../src/storage/verdict.ts";

const volume = plain_volume("/data"); // two misses
const late = ["slow", "hung"] as const;
const hard = ["stale", "gone", "wrong", "unlabelled"] as const;

/** The first loss in a row of verdicts: which one, and how. */
function first_loss(verdicts: readonly Verdict[], of = volume): string | null {
  let misses = no_misses;
  for (const [index, verdict] of verdicts.entries()) {
    const judged = judge(of, misses, verdict);
    if (judged.how !== null) return `${index} ${judged.how}`;
    misses = judged;
  }
  return null;
}

test("one late answer is no loss, as many in a row as misses are", () => {
  assert.equal(first_loss(["hung", "ok", "hung", "ok", "slow", "ok"]), null);
  assert.equal(first_loss(["ok", "hung", "hung"]), "2 kill");
  assert.equal(first_loss(["slow", "hung"]), "1 kill");
  assert.equal(
    first_loss(["hung", "full", "hung"], { ...volume, on_full: "warn" }),
    null,
    "full is an answer",
  );
});

test("a hard error is a loss at once; read-only and full are what the user has chosen", () => {
  for (const verdict of hard) assert.equal(first_loss(["ok", verdict]), "1 kill");
  for (const [verdict, key] of [
    ["read-only", "on_read_only"],
    ["full", "on_full"],
  ] as const) {
    assert.equal(first_loss([verdict]), "0 stop");
    assert.equal(first_loss([verdict], { ...volume, [key]: "kill" }), "0 kill");
    assert.equal(first_loss([verdict, verdict], { ...volume, [key]: "warn" }), null);
  }
});

test("whatever comes: lost at the first hard error or at the last of so many misses in a row, and never otherwise", () => {
  const any = fc.array(fc.constantFrom<Verdict>("ok", "ok", ...late, ...hard, "full", "read-only"));
  fc.assert(
    fc.property(any, fc.integer({ min: 1, max: 4 }), (verdicts, misses) => {
      const of = { ...volume, on_full: "warn" as const, probe: { ...volume.probe, misses } };
      const expected = verdicts.findIndex((verdict, index) => {
        if (verdict === "ok" || verdict === "full") return false;
        if (verdict !== "slow" && verdict !== "hung") return true;
        const row = verdicts.slice(Math.max(0, index + 1 - misses), index + 1);
        return row.length === misses && row.every((one) => one === "slow" || one === "hung");
      });
      const how = verdicts[expected] === "read-only" ? "stop" : "kill";
      assert.equal(first_loss(verdicts, of), expected < 0 ? null : `${expected} ${how}`);
    }),
  );
});

test("errors: what a soft mount waited for is no answer, our own want is no fault of the volume", () => {
  assert.deepEqual(
    ["EROFS", "ENOSPC", "EDQUOT", "ESTALE", "ENOTCONN", "ETIMEDOUT", "EIO", "E999", "ENOMEM"].map(verdict_of),
    ["read-only", "full", "full", "stale", "gone", "hung", "gone", "gone", undefined],
  );
});
