/** What is used of node:test's events test:pass and test:fail. */
export type TestEvent = {
  nesting: number;
  skip?: string | boolean;
  details: { type?: string | undefined; error?: object };
};

/** Counts the tests that hold no others. */
export class Tally {
  passed = 0;
  failed = 0;
  skipped = 0;
  /** Whether a test was reported at this depth since the last one above it: a parent comes after its children. */
  readonly #seen: boolean[] = [];

  add({ nesting, skip, details }: TestEvent, passed: boolean): void {
    const parent = this.#seen[nesting + 1] === true || details.type === "suite";
    this.#seen[nesting + 1] = false;
    this.#seen[nesting] = true;
    // A parent counts only when it fails by itself.
    if (parent && (passed || byChildren(details.error))) return;
    if (passed && skip !== undefined && skip !== false) this.skipped += 1;
    else this.count(passed);
  }

  /** What was counted elsewhere. */
  take({ passed, failed, skipped = 0 }: { passed: number; failed: number; skipped?: number }): void {
    this.passed += passed;
    this.failed += failed;
    this.skipped += skipped;
  }

  count(passed: boolean): void {
    if (passed) this.passed += 1;
    else this.failed += 1;
  }
}

function byChildren(error: object | undefined): boolean {
  return error !== undefined && "failureType" in error && error.failureType === "subtestsFailed";
}
