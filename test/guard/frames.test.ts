// The frames, both implementations against each other and against every kind of damage.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import fc from "fast-check";
import type { GuardEvent } from "../../src/guard/events.ts";
import { type Bytes, Decoder, encode, frame, FrameError, type Order } from "../../src/guard/frames.ts";
import { compile } from "../support/hand.ts";

const program = compile("test/fixtures/frames.c");
const in_c = (input: Uint8Array): string[] =>
  execFileSync(program, ["parse"], { input, encoding: "latin1" }).trimEnd().split("\n");

// ---- what the guard's parser makes of our orders ----

const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const scope = fc.constantFrom("main" as const, "group" as const);
const bytes = fc.uint8Array({ maxLength: 40 }).map((value) => value.map((byte) => byte || 1));
const list = (of: fc.Arbitrary<Bytes>) => fc.array(of, { maxLength: 5 });
const entry = bytes.map((value) => Buffer.concat([Buffer.from("NAME="), value]));
const signal = fc.integer({ min: 1, max: 64 });
const some_ms = fc.integer({ min: 1, max: 86_400_000 });

const hello: fc.Arbitrary<Order> = fc.record({
  type: fc.constant("hello" as const),
  cap_ms: some_ms,
  grace_ms: some_ms,
  stop_signal: signal,
  scope,
  json_log: fc.boolean(),
});
const later: fc.Arbitrary<Order> = fc.oneof(
  fc.record({ type: fc.constant("deadline" as const), tenure: u64, deadline_ns: u64 }),
  fc.record({
    type: fc.constant("start" as const),
    tenure: u64,
    unset: list(bytes),
    set: list(entry),
    argv: list(bytes),
  }),
  fc.record({ type: fc.constant("signal" as const), signal, scope, stop: fc.boolean() }),
  fc.record({ type: fc.constant("taken" as const), signal: fc.integer({ min: 0, max: 64 }) }),
  fc.record({ type: fc.constant("kill" as const), tenure: u64, close: fc.boolean() }),
  fc.record({
    type: fc.constant("release" as const),
    offset: u64,
    drain_ms: some_ms,
    release_ms: some_ms,
    paths: list(bytes),
  }),
  fc.record({ type: fc.constant("exit" as const), code: fc.integer({ min: 0, max: 255 }) }),
);

/** The line that the C program prints for an order. */
function line(order: Order, sequence: number): string {
  const hex = (values: readonly Bytes[]): string =>
    values.map((v) => ` ${Buffer.from(v).toString("hex")}.`).join("");
  const num = (value: boolean | string): number => Number(value === true || value === "group");
  const words = ((): string => {
    switch (order.type) {
      case "hello":
        return `1 ${order.cap_ms} ${order.grace_ms} ${order.stop_signal} ${num(order.scope)} ${num(order.json_log)}`;
      case "deadline":
        return `2 ${order.tenure} ${order.deadline_ns}`;
      case "start":
        return `3 ${order.tenure}${hex(order.unset)} |${hex(order.set)} |${hex(order.argv)}`;
      case "signal":
        return `4 ${order.signal} ${num(order.scope)} ${num(order.stop)}`;
      case "taken":
        return `5 ${order.signal}`;
      case "kill":
        return `6 ${order.tenure} ${num(order.close)}`;
      case "release":
        return `7 ${order.offset} ${order.drain_ms} ${order.release_ms}${hex(order.paths)}`;
      case "exit":
        return `8 ${order.code}`;
    }
  })();
  return `${sequence} ${words}`;
}

test("the guard's parser reads every order as it was meant", () => {
  fc.assert(
    fc.property(hello, fc.array(later, { maxLength: 20 }), (first, others) => {
      const orders = [first, ...others];
      const stream = Buffer.concat(orders.map((order, i) => encode(order, i + 1)));
      assert.deepEqual(in_c(stream), [...orders.map((order, i) => line(order, i + 1)), "rest 0"]);
    }),
    { numRuns: 150 },
  );
});

const a_hello = encode(
  { type: "hello", cap_ms: 1000, grace_ms: 5, stop_signal: 15, scope: "main", json_log: false },
  1,
);
const a_deadline = encode({ type: "deadline", tenure: 1n, deadline_ns: 123_456_789n }, 2);

test("the guard's parser refuses every single flipped bit", () => {
  for (let bit = 0; bit < a_hello.length * 8; bit++) {
    const damaged = Buffer.from(a_hello);
    damaged.writeUInt8(damaged.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    const [said = ""] = in_c(damaged);
    assert.match(said, /^(garbage|rest)/, `bit ${bit}`); // a longer length waits for bytes that never come
  }
});

const bad: Record<string, readonly [Buffer, RegExp]> = {
  "a cut frame waits for its rest": [a_hello.subarray(0, 30), /^rest 30$/],
  "a doubled frame": [Buffer.concat([a_hello, a_hello]), /garbage: it is out of order/],
  "frames out of order": [a_deadline, /garbage: it is out of order/],
  "a later version": [Buffer.from("4c4802", "hex"), /garbage: its version is not 1/],
  "another protocol": [Buffer.from("GET / HTTP/1.1\r\n"), /garbage: it does not begin with LH/],
  "too long": [
    Buffer.concat([Buffer.from("4c48010101000100", "hex"), Buffer.alloc(16)]),
    /longer than 65,536/,
  ],
  "something else first": [frame(2, 1, 0n, Buffer.alloc(16)), /hello comes first/],
  "a second hello": [
    Buffer.concat([a_hello, frame(1, 2, 0n, a_hello.subarray(24))]),
    /hello comes first, and once/,
  ],
  "an unknown type": [Buffer.concat([a_hello, frame(9, 2, 0n, Buffer.alloc(0))]), /type is unknown/],
  "a payload of the wrong size": [
    Buffer.concat([a_hello, frame(2, 2, 0n, Buffer.alloc(15))]),
    /payload is not what/,
  ],
  "a cap of zero": [frame(1, 1, 0n, Buffer.alloc(20)), /payload is not what/],
  "a string without its end": [
    Buffer.concat([
      a_hello,
      frame(3, 2, 0n, Buffer.concat([Buffer.alloc(16), Buffer.from([1, 0, 0, 0, 65])])),
    ]),
    /payload is not what/,
  ],
  "a variable without a name": [
    Buffer.concat([a_hello, encode({ type: "start", tenure: 1n, unset: [], set: ["=x"], argv: [] }, 2)]),
    /payload is not what/,
  ],
};
for (const [name, [stream, said]] of Object.entries(bad)) {
  test(`the guard's parser: ${name}`, () => assert.match(in_c(stream).at(-1) ?? "", said));
}

test("a NUL in an argument, and a frame that is too long, are refused before they are sent", () => {
  const start = { type: "start" as const, tenure: 1n, unset: [], set: [] };
  assert.throws(() => encode({ ...start, argv: ["a\0b"] }, 2), FrameError);
  assert.throws(() => encode({ ...start, argv: ["x".repeat(70_000)] }, 2), /70021 bytes, 65536 are allowed/);
});

// ---- what we make of the guard's frames ----

const from_c = execFileSync(program, ["write"]);
const expected: readonly GuardEvent[] = [
  {
    at_ns: 1_000_000_000_001n,
    event: "welcome",
    version: 1,
    pid1: true,
    can_kill: false,
    tty: true,
    no_new_privs: false,
    outer: 77,
  },
  { at_ns: 1_000_000_000_002n, event: "ack", sequence: 9, status: "no_tenure" },
  { at_ns: 1_000_000_000_003n, event: "started", tenure: 4_294_967_301n, pid: 4321 },
  { at_ns: 1_000_000_000_004n, event: "exited", tenure: 5n, how: "signal", value: 9 },
  { at_ns: 1_000_000_000_005n, event: "killing", tenure: 5n, why: "main_ended" },
  { at_ns: 1_000_000_000_006n, event: "empty", tenure: 5n, reaped: 12 },
  { at_ns: 1_000_000_000_007n, event: "undead", tenure: 5n, left: 2, pid: 99, state: "D", since_ms: 1001 },
  { at_ns: 1_000_000_000_008n, event: "signalled", signal: 15, forwarded: false },
  { at_ns: 1_000_000_000_009n, event: "mounts" },
  { at_ns: 1_000_000_000_010n, event: "orphaned" },
];

test("every frame of the guard is read as it was meant, in pieces of any size", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 40 }), (sizes) => {
      const decoder = new Decoder();
      const events: GuardEvent[] = [];
      for (let at = 0, i = 0; at < from_c.length; i++) {
        const size = sizes[i % sizes.length] ?? 1;
        events.push(...decoder.push(from_c.subarray(at, at + size)));
        at += size;
      }
      assert.deepEqual(events, expected);
      assert.equal(decoder.cut, false);
    }),
    { numRuns: 100 },
  );
});

test("every flipped bit in the guard's frames is noticed, before the frame it is in has any effect", () => {
  const first = 24 + 12;
  for (let bit = 0; bit < first * 8; bit++) {
    const damaged = Buffer.from(from_c.subarray(0, first));
    damaged.writeUInt8(damaged.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    const decoder = new Decoder();
    try {
      assert.deepEqual([...decoder.push(damaged)], [], `bit ${bit}`);
      assert.equal(decoder.cut, true); // a longer length: it waits, and the end of the stream tells
    } catch (error) {
      assert.ok(error instanceof FrameError, `bit ${bit}: ${String(error)}`);
    }
  }
});

test("any bytes at all either wait or are refused", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
      try {
        assert.deepEqual([...new Decoder().push(noise)], []);
      } catch (error) {
        assert.ok(error instanceof FrameError);
      }
    }),
  );
});

test("unknown types, wrong sizes and unknown values of the guard are refused", () => {
  for (const [type, payload] of [
    [63, ""],
    [74, ""],
    [65, "0100000007000000"],
    [65, "01000000"],
    [67, "05000000000000000400000001000000"],
    [68, "050000000000000000000000"],
    [71, "0f00000002000000"],
    [72, "00"],
  ] as const) {
    const bytes_of = frame(type, 1, 1n, Buffer.from(payload, "hex"));
    assert.throws(() => [...new Decoder().push(bytes_of)], FrameError, `type ${type}`);
  }
});
