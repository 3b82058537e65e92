import assert from "node:assert/strict";
import { test } from "node:test";
import { defect, exitCodes, UsageError } from "../src/errors.ts";

test("a failure holds its code, exit code, the value received and the remedy", () => {
  const error = new UsageError("unknown command 'rn'", "rn x", "did you mean run?");
  assert.equal(error.message, "unknown command 'rn'; did you mean run?");
  assert.deepEqual(
    { code: error.code, exitCode: error.exitCode, received: error.received, remedy: error.remedy },
    { code: "usage", exitCode: 64, received: "rn x", remedy: "did you mean run?" },
  );
});

test("a defect is one sentence with the place, and exit code 70", () => {
  assert.equal(exitCodes.defect, 70);
  const sentence = defect(new TypeError("x is undefined"));
  assert.match(
    sentence,
    /^a defect of leasehold itself, .*TypeError: x is undefined at .*errors\.test\.ts:\d+/,
  );
  assert.doesNotMatch(sentence, /\n/);
  assert.match(defect("a string"), /: a string$/);
});
