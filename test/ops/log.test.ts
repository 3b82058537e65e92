import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { line_max_bytes } from "../../src/ops/destination.ts";
import { type Log, type LogOptions, open_log } from "../../src/ops/log.ts";
import { pipe } from "./pipe.ts";

function log_into_pipe(
  t: TestContext,
  options: Partial<LogOptions> = {},
): { log: Log; lines: () => string[]; fd: number } {
  const { fd, read } = pipe(t);
  const log = open_log({ format: "json", level: "info", base: { node: "a" }, fd, ...options });
  t.after(() => log.close());
  return { log, fd, lines: () => read().split("\n").slice(0, -1) };
}

test("json: one object a line, with level, time, base and fields", (t) => {
  const { log, lines } = log_into_pipe(t);
  log.info("the lock is ours, 100 %d", { token: "7" });
  log.error("it is lost");
  const [first, second] = lines().map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.match(String(first?.time), /^\d{4}-\d\d-\d\dT.*Z$/);
  assert.deepEqual(
    { ...first, time: "" },
    { level: "info", time: "", node: "a", token: "7", message: "the lock is ours, 100 %d" },
  );
  assert.equal(second?.level, "error");
});

test("pretty: a sentence a line, for people", (t) => {
  const { log, lines } = log_into_pipe(t, { format: "pretty" });
  log.warn("the lock service is silent", { for_ms: 1500 });
  assert.match(lines().join("\n"), /^\d{4}-\S+Z WARN {2}the lock service is silent for_ms=1500$/);
});

test("what comes from outside can't forge a line or reach the terminal", (t) => {
  const { log, lines } = log_into_pipe(t, { format: "pretty" });
  log.info("held by \u001b[2Jx\nERROR forged\u202e", { node_of: "\r\u0007" });
  const [line = "", ...others] = lines();
  assert.deepEqual(others, []);
  // eslint-disable-next-line no-control-regex
  assert.doesNotMatch(line, /[\u0000-\u001f\u202e]/);
});

test("lines below the level are left out", (t) => {
  const { log, lines } = log_into_pipe(t, { level: "warn" });
  log.debug("d");
  log.info("i");
  log.warn("w");
  assert.equal(lines().length, 1);
});

for (const format of ["json", "pretty"] as const) {
  test(`${format}: nobody reads: no write waits, lines are dropped and counted, and the count is told`, (t) => {
    const { log, lines } = log_into_pipe(t, { format });
    const sent = 5000;
    for (let i = 0; i < sent; i++) log.info(`line ${i}`);
    assert.ok(log.dropped > 0 && log.dropped < sent);
    const dropped = log.dropped;

    const kept = lines();
    assert.equal(kept.length, sent - dropped, "each line is there whole or not at all");
    assert.match(kept.at(-1) ?? "", new RegExp(`line ${kept.length - 1}\\b`));

    log.info("it is read again");
    const [told = "", next = ""] = lines();
    assert.match(told, /log lines were dropped, because nobody read them in time/);
    assert.match(told, new RegExp(`dropped"?[:=]${dropped}\\b`));
    assert.match(next, /it is read again/);
    log.info("and again");
    assert.equal(lines().length, 1, "it is told once");
  });
}

test("the count is also told when no further line comes, and at the latest at the end", (t) => {
  const { log, lines } = log_into_pipe(t);
  for (let i = 0; i < 5000; i++) log.info(`line ${i}`);
  lines();
  log.close();
  log.info("too late");
  assert.match(lines().join("\n"), /log lines were dropped/);
});

test("the flags of the descriptor, which the guard shares, stay as they are", (t) => {
  const { log, fd } = log_into_pipe(t);
  log.info("a");
  const flags = /flags:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1];
  assert.equal(Number.parseInt(flags ?? "", 8) & 0o4000, 0, "it still blocks for others");
});

test("a line is cut to what a pipe takes whole", (t) => {
  const { log, lines } = log_into_pipe(t);
  log.info("ä".repeat(100_000));
  log.info("short", { field: "ä".repeat(100_000) });
  const all = lines();
  assert.equal(all.length, 2);
  for (const line of all) {
    assert.ok(Buffer.byteLength(line) < line_max_bytes);
    assert.doesNotMatch(line, /\ufffd/, "at a character's border");
  }
  assert.doesNotThrow(() => JSON.parse(all[0] ?? ""), "a long sentence alone leaves it JSON");
});

test("a log that fails stops nothing", (t) => {
  const { log } = log_into_pipe(t, { fd: full(t) });
  log.error("nobody hears this");
  assert.equal(log.dropped, 1);
});

/** /dev/full refuses every write, as a full disk does. */
function full(t: TestContext): number {
  const fd = openSync("/dev/full", "w");
  t.after(() => closeSync(fd));
  return fd;
}
