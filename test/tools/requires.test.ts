import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type Requirement, requires } from "../support/requires.ts";

/** What requires does with a tool that is nowhere, as a user without rights. */
function outcome(ci: string | undefined, ...requirements: Requirement[]): string {
  const saved = process.env.CI;
  let skipped = "";
  const context = { skip: (reason: string) => (skipped = reason) } as unknown as TestContext;
  if (ci === undefined) delete process.env.CI;
  else process.env.CI = ci;
  try {
    return requires(context, ...requirements) ? "runs" : `skipped: ${skipped}`;
  } catch (error) {
    return `failed: ${(error as Error).message}`;
  } finally {
    if (saved === undefined) delete process.env.CI;
    else process.env.CI = saved;
  }
}

test("a test that lacks something is skipped with the reason, and fails with CI=true", (t) => {
  t.mock.property(process, "getuid", () => 1000);
  assert.equal(outcome(undefined), "runs");
  assert.equal(outcome(undefined, "root"), "skipped: needs root");
  assert.equal(outcome("1", "root"), "skipped: needs root");
  assert.equal(outcome("true", "root"), "failed: needs root; with CI=true nothing may be missing");
  assert.equal(outcome("true"), "runs");
});

test("an unknown tool is a mistake in the test", () => {
  assert.match(
    outcome(undefined, "nonsense" as Requirement),
    /^failed: tools\/debian\.ts has no row for nonsense/,
  );
});
