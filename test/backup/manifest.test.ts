import assert from "node:assert/strict";
import { test } from "node:test";
import { backup_id, decode_manifest, encode_manifest, is_backup_id } from "../../src/backup/manifest.ts";
import { a_manifest } from "./backups.ts";

test("a manifest is read as it was written", () => {
  const manifest = a_manifest({ token: null, volume_id: "v" });
  assert.deepEqual(decode_manifest(encode_manifest(manifest)), { how: "read", manifest });
});

test("every changed byte, and every cut, is seen", () => {
  const bytes = encode_manifest(a_manifest());
  for (let at = 0; at < bytes.length - 1; at++) {
    const changed = Buffer.from(bytes);
    changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
    assert.notEqual(decode_manifest(changed).how, "read", `byte ${at}`);
    assert.equal(decode_manifest(bytes.subarray(0, at)).how, "damaged", `cut at ${at}`);
  }
});

test("a newer format is not damage, and isn't understood", () => {
  const text = encode_manifest(a_manifest()).toString().replace('"format":1', '"format":2');
  assert.deepEqual(decode_manifest(Buffer.from(text)), {
    how: "newer",
    because: "has format 2, and this leasehold knows 1",
  });
});

test("an id shows its time, and only such names are ids", () => {
  const id = backup_id(Date.parse("2026-11-25T03:04:05.678Z"), "0a1b2c3d-ffff-4fff-8fff-ffffffffffff");
  assert.equal(id, "20261125T030405Z-0a1b2c3d");
  assert.ok(is_backup_id(id));
  for (const no of ["", "..", "20261125T030405Z", `${id}/..`, "lost+found", `${id}x`])
    assert.ok(!is_backup_id(no), no);
});
