import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  decode_identity,
  encode_identity,
  type Identity,
  identity_file,
  identity_max_bytes,
  leasehold_folder,
  wrong_label,
} from "../../src/storage/identity.ts";

const one: Identity = {
  id: "6f1c1b0e-0c4e-4b7e-9f50-0a8a4b8c6f01",
  label: "mysql",
  created: "2026-11-24T23:30:00.000Z",
  tv_ms: 30_000,
  directory: false,
};

const identity: fc.Arbitrary<Identity> = fc.record(
  {
    id: fc.uuid(),
    label: fc.option(
      fc.string({ unit: "grapheme", minLength: 1 }).filter((label) => wrong_label(label) === undefined),
    ),
    created: fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    tv_ms: fc.integer({ min: 1, max: 86_400_000 }),
    directory: fc.boolean(),
  },
  { noNullPrototype: true },
);

test("an identity is read as it was written", () => {
  fc.assert(fc.property(identity, (some) => assert.deepEqual(decode_identity(encode_identity(some)), some)));
  assert.equal(
    String(encode_identity(one)),
    '{"format":1,"id":"6f1c1b0e-0c4e-4b7e-9f50-0a8a4b8c6f01","label":"mysql","created":"2026-11-24T23:30:00.000Z","tv_ms":30000}\n',
  );
});

test("where it lies is not to change: every version has to find it", () => {
  assert.deepEqual([leasehold_folder, identity_file], [".leasehold", ".leasehold/volume.json"]);
});

const change = (fields: object): Buffer =>
  Buffer.from(JSON.stringify({ ...(JSON.parse(String(encode_identity(one))) as object), ...fields }));
const bad: readonly (readonly [bytes: Buffer, what: string])[] = [
  [Buffer.from(""), "is empty"],
  [Buffer.alloc(identity_max_bytes + 1, " "), "is longer than 4096 bytes"],
  [Buffer.from("\0\0\0\0"), "is no JSON"],
  [Buffer.from([0xff, 0xfe]), "is no JSON"],
  [Buffer.from("[]"), "is no JSON object"],
  [Buffer.from("null"), "is no JSON object"],
  [Buffer.from("{}"), "has no format number"],
  [change({ format: 2 }), "has format 2, and this leasehold knows 1"],
  [change({ id: "1" }), "has no id"],
  [change({ id: one.id.toUpperCase() }), "has no id"],
  [change({ label: 1 }), "has no proper label"],
  [change({ label: "a\nb" }), "has no proper label"],
  [change({ label: "x".repeat(65) }), "has no proper label"],
  [change({ created: "yesterday" }), "has no proper time in created"],
  [change({ tv_ms: 0 }), "has no tv_ms from 1 to 86400000"],
  [change({ tv_ms: 1.5 }), "has no tv_ms from 1 to 86400000"],
  [change({ tv_ms: "30s" }), "has no tv_ms from 1 to 86400000"],
  [change({ directory: 1 }), "has a field directory that is neither true nor false"],
  [change({ extra: 1 }), 'has the unknown field "extra"'],
];
for (const [bytes, what] of bad) {
  test(`what ${what} is refused: ${bytes.toString("latin1", 0, 30)}`, () =>
    assert.equal(decode_identity(bytes), what));
}

test("no torn or changed identity is taken for a whole one, and none throws", () => {
  const whole = encode_identity(one);
  for (let n = 0; n < whole.length - 1; n++)
    assert.equal(typeof decode_identity(whole.subarray(0, n)), "string");
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 5000 }), (bytes) =>
      assert.equal(typeof decode_identity(bytes), "string"),
    ),
  );
});
