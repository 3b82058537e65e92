// The page as other processes read it, against the guard's own header and a real guard.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { catches, controller_of, local_guards, type Page, page_of, read_page } from "../../src/guard/page.ts";
import { app, compile, hand } from "../support/hand.ts";

const program = compile("test/fixtures/page.c");

function read(t: TestContext, bytes: Buffer): Page | null {
  const folder = mkdtempSync(join(tmpdir(), "leasehold-page-"));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "page"), bytes);
  const fd = openSync(join(folder, "page"), "r");
  try {
    return read_page(fd, true);
  } finally {
    closeSync(fd);
  }
}
const made = (...args: (string | number)[]): Buffer => spawnSync(program, args.map(String)).stdout;

test("every field lies where guard.h has it", (t) => {
  const deadline_ns = 2n ** 63n + 5n;
  assert.deepEqual(read(t, made(7, String(deadline_ns), 0, 99, 0, "A=1", "B=", "ü=\n=")), {
    tenure: 7n,
    deadline_ns,
    app_runs: true,
    environment: ["A=1", "B=", "ü=\n="],
  });
});

test("the app runs from its start to its end or its kill", (t) => {
  const runs = (...fields: number[]): boolean | undefined => read(t, made(1, 1, ...fields))?.app_runs;
  assert.equal(runs(0, 99, 0), true);
  assert.equal(runs(0, 0, 0), false, "before the start");
  assert.equal(runs(0, 99, 1), false, "it has ended");
  assert.equal(runs(2, 99, 0), false, "it is being killed");
});

test("what is no page, or another version's, is none", (t) => {
  assert.equal(read(t, Buffer.from("hello")), null);
  assert.equal(read(t, Buffer.alloc(9000)), null);
  const other = made(1, 1, 0, 1, 0);
  other[0] = (other[0] ?? 0) + 1;
  assert.equal(read(t, other), null);
});

test("a guard, its page and its controller are found; of the others with its page none is taken for it", async (t) => {
  const h = await hand(t, { controller: [], app: [app, "ignore"] });
  const [main] = await h.app_tree(1);
  assert.ok(main);
  const found = local_guards().filter(({ pid }) => pid === h.outer);
  assert.equal(found.length, 1);
  const [guard] = found;
  assert.ok(guard);
  assert.equal(
    local_guards().filter(({ id }) => id === guard.id).length,
    1,
    "inner and its kind have the page, too",
  );
  const controller = controller_of(guard);
  assert.ok(controller !== null && controller !== h.outer);
  assert.equal(page_of(controller)?.id, guard.id);
  assert.equal(page_of(main.pid), null, "the app hasn't");
  const fd = openSync(guard.page, "r");
  t.after(() => closeSync(fd));
  assert.equal(read_page(fd)?.app_runs, true);
});

test("whether a process has a handler for a signal", (t) => {
  const nothing = (): void => {};
  assert.equal(catches(process.pid, constants.signals.SIGHUP), false);
  process.on("SIGHUP", nothing);
  t.after(() => process.off("SIGHUP", nothing));
  assert.equal(catches(process.pid, constants.signals.SIGHUP), true);
  assert.equal(catches(process.pid, constants.signals.SIGXFSZ), false);
});
