// The files of the volume lease: what was written is read back, and nothing else is ever taken for it.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  decode_beat,
  decode_claim,
  decode_standby,
  encode_beat,
  encode_claim,
  encode_standby,
  first_claim,
  parse_name,
} from "../../../src/storage/lease/format.ts";
import { a_beat, a_claim, uuid } from "./scenes.ts";

const beat = a_beat({ instance: uuid(1), claim: 7n, seq: 3 });
const claim = a_claim({ instance: uuid(1), claim: 7n });
const standby = { instance: uuid(2), node: "n", address: null, at: "5" };

test("a beat fills one block, and what was written is read back", () => {
  const block = encode_beat(beat);
  assert.equal(block.length, 4096);
  assert.deepEqual(decode_beat(block, uuid(1)), beat);
  // As a look reads it: without the zeros.
  assert.deepEqual(decode_beat(block.subarray(0, block.indexOf(0)), uuid(1)), beat);
  assert.deepEqual(decode_claim(encode_claim(claim), 7n), claim);
  assert.deepEqual(decode_standby(encode_standby(standby), uuid(2)), standby);
});

test("the longest names fit; what doesn't is a defect, not a torn beat", () => {
  const self = { ...beat.self, holder: "n".repeat(253), address: "a".repeat(300) };
  assert.equal(encode_beat({ ...beat, self, record: self }).length, 4096);
  const holder = "n".repeat(4000);
  assert.throws(() => encode_beat({ ...beat, self: { ...self, holder } }), /does not fit its block/);
});

test("torn, cut, foreign, empty: a sentence's end, and no beat", () => {
  const block = encode_beat(beat);
  const later = encode_beat({ ...beat, seq: 4, state: "released" });
  for (let at = 1; at < block.indexOf(0); at++) {
    const torn = Buffer.concat([later.subarray(0, at), block.subarray(at)]);
    const read = decode_beat(torn, uuid(1));
    // A tear where both are the same is none.
    if (typeof read !== "string") assert.ok(torn.equals(block) || torn.equals(later));
    assert.equal(typeof decode_beat(block.subarray(0, at), uuid(1)), "string");
  }
  for (const text of ["", "\n", "hello\n", "0000000 {}\n", "null\n", "x".repeat(5000)])
    assert.equal(typeof decode_beat(Buffer.from(text), uuid(1)), "string", text);
  assert.equal(typeof decode_beat(Buffer.concat([block, Buffer.from("x")]), uuid(1)), "string");
});

test("each field is checked, behind a checksum that is right", () => {
  const wrong = [
    { instance: uuid(9) },
    { seq: "3" },
    { ran: 1 },
    { tv_ms: 0 },
    { tv_ms: 1e9 },
    { state: "dead" },
    { mode: "fast" },
    { self: null },
    { self: {} },
    { record: 5 },
    { record: { ...beat.self, state: "odd" } },
  ];
  for (const fields of wrong) {
    const read = decode_beat(encode_beat({ ...beat, ...(fields as object) }), uuid(1));
    assert.equal(typeof read, "string", JSON.stringify(fields));
  }
  assert.equal(typeof decode_claim(encode_claim({ ...claim, tv_ms: -1 }), 7n), "string");
  assert.equal(typeof decode_claim(encode_claim(claim), 8n), "string", "another number's");
  assert.equal(typeof decode_claim(encode_claim({ ...claim, instance: "../x" }), 7n), "string");
  assert.equal(typeof decode_claim(encode_beat(beat), 7n), "string", "a beat is no claim");
});

test("names: only ours, and nothing else is looked into", () => {
  assert.deepEqual(parse_name(`${uuid(1)}.beat`), { kind: "beat", instance: uuid(1) });
  assert.deepEqual(parse_name("12.claim"), { kind: "claim", claim: 12n });
  assert.deepEqual(parse_name("volume.json"), { kind: "identity" });
  const foreign = [
    "x.beat",
    "01.claim",
    "-1.claim",
    "1.claim.bak",
    `${2n ** 63n}.claim`,
    ".beat",
    "1",
    "1e3.claim",
  ];
  for (const name of foreign) assert.equal(parse_name(name), null, name);
});

test("the operator's claim names nobody", () => {
  const { name, content } = first_claim(4n, 30_000);
  assert.equal(name, "4.claim");
  const read = decode_claim(content, 4n);
  assert.ok(typeof read !== "string");
  assert.equal(read.instance, null);
});
