import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { type Termination, termination_record, write_termination } from "../../src/ops/termination.ts";

const termination: Termination = {
  code: 80,
  because: "the lease was lost: no answer for 23 s",
  at: "2026-01-02T03:04:05.678Z",
  node: "a",
  instance: "1234",
  lock: "zk://h:2181/a",
  token: "18446744073709551615",
  last_proof_ms_ago: 23_000,
};

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "leasehold-"));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

test("it is one JSON object, and replaces what was there", (t) => {
  const path = join(folder(t), "log");
  writeFileSync(path, "x".repeat(10_000));
  assert.equal(write_termination(path, termination), undefined);
  assert.deepEqual(JSON.parse(readFileSync(path, "utf8")), termination);
});

test("it is never longer than Kubernetes reads, and still JSON", () => {
  for (const because of ["ä".repeat(10_000), "\u0000".repeat(10_000), '"'.repeat(10_000)]) {
    const record = termination_record({ ...termination, because, lock: because });
    assert.ok(Buffer.byteLength(record) <= 4096);
    assert.equal((JSON.parse(record) as Termination).code, 80);
  }
});

test("where it can't be written is said in a sentence, and nothing waits", (t) => {
  const directory = folder(t);
  const pipe = join(directory, "pipe");
  spawnSync("mkfifo", [pipe]);
  assert.match(write_termination(directory, termination) ?? "", /could not be written to ".*" \(EISDIR\)$/);
  assert.match(write_termination(join(directory, "a/b"), termination) ?? "", /\(ENOENT\)$/);
  assert.match(write_termination("/dev/full", termination) ?? "", /\(ENOSPC\)$/);
  assert.match(write_termination(pipe, termination) ?? "", /\(ENXIO\)$/, "a pipe that nobody reads");
});
