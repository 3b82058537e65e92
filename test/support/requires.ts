import type { TestContext } from "node:test";
import { missing, type Tool } from "../../tools/debian.ts";

/** A tool of tools/debian.ts, or what only a privileged run has. */
export type Requirement = Tool | "root";

/**
 * Skips the test, with the reason, when something that it needs is missing; with CI=true it fails instead.
 * The test itself must stop then: `if (!requires(t, "runc", "root")) return;`
 */
export function requires(t: TestContext, ...requirements: Requirement[]): boolean {
  const reasons = requirements.map(lacking).filter((reason) => reason !== null);
  if (reasons.length === 0) return true;
  const reason = reasons.join("; ");
  if (process.env.CI === "true") throw new Error(`${reason}; with CI=true nothing may be missing`);
  t.skip(reason);
  return false;
}

function lacking(requirement: Requirement): string | null {
  if (requirement !== "root") return missing(requirement);
  return process.getuid?.() === 0 ? null : "needs root";
}
