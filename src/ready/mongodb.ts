// MongoDB's hello, which needs no login, and as much of BSON as its answer takes. Sources: docs/readiness.md.

import type { Dialogue } from "./dialogue.ts";

const op_msg = 2013;
const foreign = "what answers there doesn't speak this protocol";
/** CommandNotFound: a server before 3.6.21, 4.0.21, 4.2.10 or 4.4.2. */
const unknown_command = 59;

/** Ready when it takes writes: a mongod of a replica set is no primary until it was elected. */
export const mongodb: Dialogue = {
  question: message(document([string("$db", "admin"), int32("hello", 1)])),
  judge(bytes) {
    if (bytes.length < 21) return undefined;
    const size = bytes.readInt32LE(0);
    if (size < 26 || size > 65_000 || bytes.readInt32LE(12) !== op_msg || bytes.readUInt8(20) !== 0)
      return foreign;
    if (bytes.length < size) return undefined;
    const fields = read_document(bytes.subarray(21, size));
    if (fields === null) return foreign;
    if (fields.get("isWritablePrimary") === true) return null;
    if (fields.get("code") === unknown_command)
      return "it doesn't know hello, so that it is older than 4.4.2; check it with tcp";
    return fields.get("ok") === 1 ? "it is no primary (yet)" : "it answered with an error";
  },
};

/** OP_MSG with one section, no flags: https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/ */
function message(body: Buffer): Buffer {
  const head = Buffer.alloc(21);
  head.writeInt32LE(head.length + body.length, 0);
  head.writeInt32LE(1, 4);
  head.writeInt32LE(op_msg, 12);
  return Buffer.concat([head, body]);
}

function document(elements: readonly Buffer[]): Buffer {
  const body = Buffer.concat(elements);
  const length = Buffer.alloc(4);
  length.writeInt32LE(body.length + 5);
  return Buffer.concat([length, body, Buffer.alloc(1)]);
}
function string(name: string, value: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32LE(Buffer.byteLength(value) + 1);
  return Buffer.concat([Buffer.from(`\x02${name}\0`, "latin1"), length, Buffer.from(`${value}\0`)]);
}
function int32(name: string, value: number): Buffer {
  const number = Buffer.alloc(4);
  number.writeInt32LE(value);
  return Buffer.concat([Buffer.from(`\x10${name}\0`, "latin1"), number]);
}

/** Booleans and numbers at the top; all else is skipped. null: it is no document. https://bsonspec.org/spec.html */
function read_document(bytes: Buffer): Map<string, boolean | number> | null {
  const fields = new Map<string, boolean | number>();
  try {
    for (let at = 4; bytes.readUInt8(at) !== 0;) {
      const type = bytes.readUInt8(at);
      const end = bytes.indexOf(0, at + 1);
      if (end < 0) return null;
      const name = bytes.toString("utf8", at + 1, end);
      const value = end + 1;
      if (type === 0x01) fields.set(name, bytes.readDoubleLE(value));
      if (type === 0x08) fields.set(name, bytes.readUInt8(value) === 1);
      if (type === 0x10) fields.set(name, bytes.readInt32LE(value));
      const length = length_of(type, bytes, value);
      if (length === null) return null;
      at = value + length;
    }
    return fields;
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function length_of(type: number, bytes: Buffer, at: number): number | null {
  const counted = (more: number): number | null => {
    const length = bytes.readInt32LE(at);
    return length < 1 ? null : length + more;
  };
  switch (type) {
    case 0x02: // string
      return counted(4);
    case 0x03: // document
    case 0x04: // array
      return counted(0);
    case 0x05: // binary
      return bytes.readInt32LE(at) === 0 ? 5 : counted(5);
    case 0x07: // object id
      return 12;
    case 0x08: // boolean
      return 1;
    case 0x0a: // null
      return 0;
    case 0x01: // double
    case 0x09: // date
    case 0x11: // timestamp
    case 0x12: // int64
      return 8;
    case 0x10: // int32
      return 4;
    case 0x13: // decimal128
      return 16;
    default:
      return null;
  }
}
