import assert from "node:assert/strict";
import { test } from "node:test";
import { nearest } from "../../src/config/nearest.ts";
import type { OptionName } from "../../src/config/options.ts";
import { format_signal } from "../../src/config/signals.ts";
import { parse_value, type Raw } from "../../src/config/values.ts";
import { refusal } from "./refusal.ts";

const good: readonly (readonly [name: OptionName, raw: Raw, value: unknown])[] = [
  ["stop-signal", "SIGTERM", 15],
  ["stop-signal", "int", 2],
  ["stop-signal", "3", 3],
  ["stop-signal", "SIGRTMIN+3", 37],
  ["stop-signal", "RTMIN", 34],
  ["stop-scope", "group", "group"],
  ["listen", "8080", { host: "127.0.0.1", port: 8080 }],
  ["listen", "0.0.0.0:8080", { host: "0.0.0.0", port: 8080 }],
  ["listen", "[::]:8080", { host: "::", port: 8080 }],
  ["listen", "localhost:1", { host: "localhost", port: 1 }],
  ["fence", "echo $HOME", ["/bin/sh", "-c", "echo $HOME"]],
  ["fence", ["fence", "a b", ""], ["fence", "a b", ""]],
  ["advertise", "mysql://10.0.0.1:3306", "mysql://10.0.0.1:3306"],
  ["loss-grace", "0", 0],
];
for (const [name, raw, value] of good) {
  test(`${name}: ${JSON.stringify(raw)} is read`, () =>
    assert.deepEqual(parse_value(name, raw, "it"), value));
}

const bad: readonly (readonly [name: OptionName, raw: Raw, sentence: RegExp])[] = [
  ["ttl", "0", /^78 it is "0", which is too short; give 1ms or more$/],
  ["ttl", ["1s"], /^78 it is a list; give one value$/],
  ["stop-signal", "SIGTREM", /^78 it is "SIGTREM", which is no signal; did you mean SIGTERM\?$/],
  ["stop-signal", "0", /no signal/],
  ["stop-signal", "65", /no signal/],
  ["stop-signal", "SIGRTMIN+31", /no signal/],
  ["stop-signal", "SIGRTMIN-1", /no signal/],
  ["stop-signal", "constructor", /no signal/],
  [
    "stop-signal",
    "KILL",
    /^78 it is SIGKILL, which stops nothing gracefully; to kill at once give --stop-timeout 0$/,
  ],
  ["stop-signal", "19", /SIGSTOP/],
  ["stop-scope", "groups", /^78 it is "groups", which is none of main, group; did you mean group\?$/],
  ["when-busy", "never", /none of wait, exit; write e\.g\. wait$/],
  ["listen", ":8080", /a host is missing; write e\.g\. 8080 or 0\.0\.0\.0:8080$/],
  ["listen", "localhost", /the port is missing/],
  ["listen", "0", /no port from 1 to 65535/],
  ["listen", "::1:80", /needs brackets/],
  ["node", "a b", /blank or foreign character/],
  ["node", "x".repeat(256), /too long/],
  ["advertise", "a\u0000b", /NUL/],
  ["node", "", /^78 it is empty; give a value, or leave it out$/],
  ["fence", "", /^78 it is an empty command/],
  ["fence", [], /empty command/],
  ["fence", ["", "a"], /empty command/],
  ["fence", "a\0b", /NUL/],
];
for (const [name, raw, sentence] of bad) {
  test(`${name}: ${JSON.stringify(raw).slice(0, 40)} is refused`, async () => {
    assert.match(await refusal(() => parse_value(name, raw, "it")), sentence);
  });
}

test("signals are written as they are read", () => {
  for (let number = 1; number <= 64; number++) {
    if (number === 9 || number === 19) continue;
    assert.equal(parse_value("stop-signal", format_signal(number), "it"), number);
  }
});

test("the nearest name, and none when none is near", () => {
  const known = ["ttl", "lock", "loss-grace", "lock-user", "listen"];
  assert.equal(nearest("lossGrace", known), "loss-grace");
  assert.equal(nearest("LOSS_GRACE", known), "loss-grace");
  assert.equal(nearest("lokc", known), "lock");
  assert.equal(nearest("tll", known), "ttl");
  assert.equal(nearest("teleport", known), undefined);
  assert.equal(nearest("", known), undefined);
  assert.equal(nearest("x".repeat(100_000), known), undefined);
});
