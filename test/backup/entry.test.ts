import assert from "node:assert/strict";
import { test } from "node:test";
import { type Entry, refusal_of } from "../../src/backup/entry.ts";

const a_file: Entry = {
  ...{ path: "a", kind: "file", size: 1, mode: 0o644, uid: 0, gid: 0, mtime_ms: 0, target: "" },
};
const link = (path: string, target: string): string | null =>
  refusal_of({ ...a_file, kind: "symlink", path, target });

test("paths that lead out are refused, and names that are only odd are not", () => {
  const good = ["a", "a/b", "..a", "a..", "...", " ", "-rf", "a\nb", "\u00e4", "a\\..\\b", "C:"];
  for (const path of good) assert.equal(refusal_of({ ...a_file, path }), null, path);
  const bad = ["/", "/etc/passwd", "..", "a/..", "../a", "a/../b", "a//b", "./a", "a/./b", "a/", "a\0b"];
  for (const path of [...bad, "x".repeat(256), "x/".repeat(2048) + "x"])
    assert.notEqual(refusal_of({ ...a_file, path }), null, path);
});

test("a symlink stays inside, .. only at its beginning", () => {
  for (const [path, target] of [
    ["l", "a"],
    ["d/l", "../a"],
    ["d/e/l", "../../a/b"],
    ["l", "."],
    ["l", "a/./b"],
  ] as const)
    assert.equal(link(path, target), null, `${path} → ${target}`);
  for (const [path, target] of [
    ["l", "/etc"],
    ["l", ".."],
    ["l", "../a"],
    ["d/l", "../../a"],
    // What a is may be a link to . by then.
    ["l", "a/.."],
    ["d/l", "../a/../.."],
    ["l", ""],
    ["l", "a\0"],
  ] as const)
    assert.notEqual(link(path, target), null, `${path} → ${target}`);
});

test("programs that run as their owner, and hard links to elsewhere, are refused", () => {
  assert.notEqual(refusal_of({ ...a_file, mode: 0o4755 }), null);
  assert.notEqual(refusal_of({ ...a_file, mode: 0o2755 }), null);
  assert.equal(refusal_of({ ...a_file, kind: "directory", mode: 0o3777 }), null);
  for (const target of ["", "/a", "../a", "a/../../b"])
    assert.notEqual(refusal_of({ ...a_file, kind: "hardlink", target }), null, target);
  assert.equal(refusal_of({ ...a_file, kind: "hardlink", target: "b/c" }), null);
  assert.notEqual(refusal_of({ ...a_file, path: "" }), null);
});
