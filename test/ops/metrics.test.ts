import assert from "node:assert/strict";
import { test } from "node:test";
import { metrics } from "../../src/ops/metrics.ts";
import { a_status } from "./a-status.ts";

test("every metric has HELP, TYPE and one sample, and counters end in _total", () => {
  const lines = metrics(a_status).trimEnd().split("\n");
  assert.equal(lines.length % 3, 0);
  for (let i = 0; i < lines.length; i += 3) {
    const [, name = "", type = ""] = /^# TYPE (\w+) (gauge|counter)$/.exec(lines[i + 1] ?? "") ?? [];
    assert.match(lines[i] ?? "", new RegExp(`^# HELP ${name} \\S`));
    assert.match(lines[i + 2] ?? "", new RegExp(`^${name}(\\{.*\\})? -?[\\d.]+$`));
    assert.equal(name.endsWith("_total"), type === "counter");
  }
});

test("durations are in seconds, labels are escaped", () => {
  const text = metrics(a_status);
  assert.match(text, /^leasehold_deadline_seconds 21\.5$/m);
  assert.match(text, /^leasehold_proof_seconds 0\.004$/m);
  assert.match(text, /^leasehold_info\{node="a\\"\\\\\\n",version="1\.2\.3",state="running"\} 1$/m);
});

test("what isn't known is left out", () => {
  const text = metrics({
    ...a_status,
    deadline_in_ms: null,
    token: null,
    proofs: { ok: 0, failed: 3, last_ms: null },
  });
  assert.doesNotMatch(text, /deadline|fencing|proof_seconds/);
  assert.match(text, /^leasehold_proofs_failed_total 3$/m);
});
