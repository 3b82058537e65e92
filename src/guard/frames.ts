// The frames of frames.md, controller's side: pure, bounded, strict.

import { crc32 } from "node:zlib";
import { decode, type GuardEvent } from "./events.ts";

/** What the controller says. Times are nanoseconds of CLOCK_BOOTTIME, entries of environment and argv are bytes. */
export type Order =
  | {
      type: "hello";
      /** No deadline ever lies further ahead than this. */
      cap_ms: number;
      /** When the controller dies: from the stop signal to SIGKILL, at most. */
      grace_ms: number;
      stop_signal: number;
      scope: Scope;
      json_log: boolean;
    }
  | { type: "deadline"; tenure: bigint; deadline_ns: bigint }
  | { type: "start"; tenure: bigint; unset: Bytes[]; set: Bytes[]; argv: Bytes[] }
  | { type: "signal"; signal: number; scope: Scope; stop: boolean }
  | { type: "taken"; signal: number }
  | { type: "kill"; tenure: bigint; close: boolean }
  | { type: "release"; offset: bigint; drain_ms: number; release_ms: number; paths: Bytes[] }
  | { type: "exit"; code: number };

type Scope = "main" | "group";
export type Bytes = string | Uint8Array;

/** A stream that is not the guard's: nothing on it can be believed any more. */
export class FrameError extends Error {}

export const version = 1;
const header_bytes = 24;
const payload_max = 65_536;

/** Encodes one order. sequence: 1 for the first frame of the connection, then one more each. */
export function encode(order: Order, sequence: number): Buffer {
  const [type, payload] = body(order);
  if (payload.length > payload_max) {
    throw new FrameError(
      `the ${order.type} frame would have ${payload.length} bytes, ${payload_max} are allowed`,
    );
  }
  return frame(type, sequence, 0n, payload);
}

/** One frame, header and checksum around its payload. */
export function frame(type: number, sequence: number, sent_at_ns: bigint, payload: Uint8Array): Buffer {
  const bytes = Buffer.alloc(header_bytes + payload.length);
  bytes.write("LH", 0, "latin1");
  bytes.writeUInt8(version, 2);
  bytes.writeUInt8(type, 3);
  bytes.writeUInt32LE(payload.length, 4);
  bytes.writeUInt32LE(sequence, 8);
  bytes.writeBigUInt64LE(sent_at_ns, 16);
  bytes.set(payload, header_bytes);
  bytes.writeUInt32LE(crc32(bytes), 12); // its own field is still zero
  return bytes;
}

function body(order: Order): [type: number, payload: Buffer] {
  switch (order.type) {
    case "hello":
      return [
        1,
        u32(order.cap_ms, order.grace_ms, order.stop_signal, scope(order.scope), Number(order.json_log)),
      ];
    case "deadline":
      return [2, u64(order.tenure, order.deadline_ns)];
    case "start": {
      const { unset, set, argv } = order;
      const counts = u32(unset.length, set.length, argv.length);
      return [3, Buffer.concat([u64(order.tenure), counts, strings([...unset, ...set, ...argv])])];
    }
    case "signal":
      return [4, u32(order.signal, scope(order.scope), Number(order.stop))];
    case "taken":
      return [5, u32(order.signal)];
    case "kill":
      return [6, Buffer.concat([u64(order.tenure), u32(Number(order.close))])];
    case "release": {
      const { drain_ms, release_ms, paths } = order;
      return [7, Buffer.concat([u64(order.offset), u32(drain_ms, release_ms, paths.length), strings(paths)])];
    }
    case "exit":
      return [8, u32(order.code)];
  }
}

function scope(value: Scope): number {
  return value === "group" ? 1 : 0;
}

function u32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, i) => bytes.writeUInt32LE(value, 4 * i));
  return bytes;
}

function u64(...values: bigint[]): Buffer {
  const bytes = Buffer.alloc(8 * values.length);
  values.forEach((value, i) => bytes.writeBigUInt64LE(value, 8 * i));
  return bytes;
}

/** Each string's bytes and a NUL. A NUL inside would become two strings at the other end. */
function strings(values: readonly Bytes[]): Buffer {
  const parts = values.map((value) => Buffer.from(value));
  const wrong = parts.find((part) => part.includes(0));
  if (wrong)
    throw new FrameError(`'${wrong.toString()}' holds a NUL byte, which no argument or variable can`);
  return Buffer.concat(parts.flatMap((part) => [part, Buffer.alloc(1)]));
}

/** Takes the guard's stream in pieces of any size and gives its frames, in order. Holds one frame at most. */
export class Decoder {
  #rest: Buffer = Buffer.alloc(0);
  #sequence = 0;

  /** Throws FrameError for anything that the guard never sends. */
  *push(chunk: Uint8Array): Generator<GuardEvent> {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const bytes = this.#rest;
      const length = frame_length(bytes);
      if (length === undefined || bytes.length < length) return;
      const one = Buffer.from(bytes.subarray(0, length));
      const sequence = one.readUInt32LE(8);
      const crc = one.readUInt32LE(12);
      one.writeUInt32LE(0, 12);
      if (sequence !== this.#sequence + 1) {
        throw new FrameError(`frame ${sequence} came after frame ${this.#sequence}`);
      }
      if (crc !== crc32(one)) throw new FrameError(`the checksum of frame ${sequence} is wrong`);
      this.#sequence = sequence;
      this.#rest = bytes.subarray(length);
      const event = decode(one.readUInt8(3), one.readBigUInt64LE(16), one.subarray(header_bytes));
      if (!event)
        throw new FrameError(`frame ${sequence} of type ${one.readUInt8(3)} is not what its type allows`);
      yield event;
    }
  }

  /** Whether the stream ended in the middle of a frame. */
  get cut(): boolean {
    return this.#rest.length > 0;
  }
}

/** Looks at as much of the header as is there, so that garbage is refused at its first wrong byte. */
function frame_length(bytes: Buffer): number | undefined {
  if (bytes.length >= 2 && bytes.toString("latin1", 0, 2) !== "LH")
    throw new FrameError("a frame does not begin with LH");
  if (bytes.length >= 3 && bytes.readUInt8(2) !== version) {
    throw new FrameError(`a frame has version ${bytes.readUInt8(2)}, this controller speaks ${version}`);
  }
  if (bytes.length < header_bytes) return undefined;
  const length = bytes.readUInt32LE(4);
  if (length > payload_max) throw new FrameError(`a frame has ${length} bytes, ${payload_max} are allowed`);
  return header_bytes + length;
}
