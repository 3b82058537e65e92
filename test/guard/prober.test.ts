// A probe that stays, against the real one: it answers as a job of its own would, and nothing late or foreign counts.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Operation, Probed } from "../../src/guard/probe.ts";
import { run_probe } from "../../src/guard/probe.ts";
import { Prober } from "../../src/guard/prober.ts";
import { boot_time } from "../support/file-systems.ts";
import { freezable_fs } from "../support/frozen-fs.ts";
import { guard } from "../support/hand.ts";
import { descendants } from "../support/processes.ts";
import { requires } from "../support/requires.ts";

const time = boot_time();
const now_ns = (): bigint => time.now_ns();
const within = (ms: number) => ({ deadline_ns: now_ns() + BigInt(ms) * 1_000_000n, now_ns, guard });

function scratch(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "leasehold-prober-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

type Asking = {
  prober: Prober;
  ask: (operations: readonly Operation[], limit_ms?: number) => Promise<Probed>;
};

function prober(t: TestContext, program = guard): Asking {
  const prober = new Prober({ guard: program });
  t.after(() => prober.close());
  return {
    prober,
    ask: (operations, limit_ms = 20_000) => run_probe(operations, { ...within(limit_ms), by: prober }),
  };
}

const write = (path: string, text: string): Operation => ({ do: "write", path, content: Buffer.from(text) });
const read = (path: string): Operation => ({ do: "read", path, max: 100 });
/** The one that stays, below its job guard; 0: there is none. */
const process_of = (): number =>
  descendants(process.pid).find(
    ({ comm, ppid, state }) => comm.startsWith("leasehold") && ppid !== process.pid && state !== "Z",
  )?.pid ?? 0;
/** For a signal: 0 would be all of this process's group. */
const living = (): number => {
  const pid = process_of();
  assert.ok(pid > 1, "there is no probe that stays");
  return pid;
};

test("many requests, one process, and each is answered as by a job of its own", async (t) => {
  const folder = scratch(t);
  const { ask } = prober(t);
  const file = join(folder, "file");
  const seen = new Set<number>();
  for (const operations of [
    [write(file, "one"), read(file), { do: "list", path: folder, max: 9 }],
    [{ do: "dir", path: folder, max: 9 }],
    [read(join(folder, "none")), write(file, "never done"), write(file, "nor this")],
    [{ do: "create", temporary: `${file}.t`, path: file, content: Buffer.from("x") }, write(file, "neither")],
    [
      read(file),
      { do: "check", path: file, content: Buffer.alloc(1 << 20, "x") },
      { do: "fs", path: folder },
    ],
    [
      { do: "sync", path: folder },
      { do: "unlink", path: file },
    ],
  ] satisfies Operation[][]) {
    const before = existsSync(file) ? readFileSync(file) : null;
    const answer = await ask(operations);
    seen.add(process_of());
    if (before === null) rmSync(file, { force: true });
    else writeFileSync(file, before);
    const other = await run_probe(operations, within(20_000));
    assert.deepEqual(answer.end, other.end);
    const told = ({ results }: Probed) =>
      results.map(({ error, step, content }) => [
        error,
        step,
        String(content).replace(/(bfree|bavail|ffree)=\d+/g, ""),
      ]);
    assert.deepEqual(told(answer), told(other));
  }
  assert.equal(seen.size, 1);
  assert.equal(existsSync(file), false);
});

test("an answer that is late is none: its process is killed, and the next request has another one", async (t) => {
  const folder = scratch(t);
  const { ask } = prober(t);
  await ask([read(folder)]);
  const stopped = living();
  process.kill(stopped, "SIGSTOP");
  const { end, results } = await ask([write(join(folder, "late"), "x")], 300);
  assert.deepEqual([end, results], [{ how: "killed", why: "deadline" }, []]);
  assert.notEqual(process_of(), stopped);
  assert.equal(existsSync(join(folder, "late")), false);
  assert.deepEqual((await ask([{ do: "list", path: folder, max: 9 }])).end, { how: "exit", value: 0 });
});

test("an answer that came in time is taken, though this process was stopped until its time was over", async (t) => {
  const { ask } = prober(t);
  await ask([{ do: "fs", path: "/" }]);
  const answered = ask([{ do: "fs", path: "/" }], 200);
  await new Promise((resolve) => setImmediate(resolve)); // it has been asked
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600);
  assert.deepEqual((await answered).end, { how: "exit", value: 0 });
});

test("what can't be killed is told as undead, and the next request doesn't wait for it", async (t) => {
  if (!requires(t, "root", "fsfreeze")) return;
  const fs = freezable_fs(t);
  const { ask } = prober(t);
  fs.freeze();
  const hung = ask([write(join(fs.path, "data"), "x")], 300);
  await new Promise((resolve) => setTimeout(resolve, 500)); // its time is over, and its kill under way
  assert.deepEqual((await ask([{ do: "fs", path: "/" }])).end, { how: "exit", value: 0 });
  const { end } = await hung;
  fs.thaw();
  assert.equal(end.how, "undead");
});

test("two requests at a time: the second has a job of its own", async (t) => {
  const { ask } = prober(t);
  const both = await Promise.all([ask([{ do: "fs", path: "/" }]), ask([{ do: "fs", path: "/" }])]);
  assert.deepEqual(
    both.map(({ end, results }) => [end, results.length]),
    [0, 1].map(() => [{ how: "exit", value: 0 }, 1]),
  );
});

test("a line that is longer than a request's may be: a job does it", async (t) => {
  const { ask } = prober(t);
  const path = `/${"./".repeat(50)}`;
  const operations = Array.from({ length: 700 }, (): Operation => ({ do: "fs", path }));
  const { end, results } = await ask(operations);
  assert.deepEqual([end, results.length], [{ how: "exit", value: 0 }, 700]);
});

test("killed between two requests, it is started again; killed during one, that one has no answer", async (t) => {
  const { ask } = prober(t);
  await ask([{ do: "fs", path: "/" }]);
  const first = living();
  process.kill(first, "SIGKILL");
  while (descendants(process.pid).length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve)); // all of it is heard
  assert.deepEqual((await ask([{ do: "fs", path: "/" }])).end, { how: "exit", value: 0 });
  const second = living();
  process.kill(second, "SIGSTOP");
  const asked = ask([{ do: "fs", path: "/" }]);
  process.kill(second, "SIGKILL");
  assert.deepEqual(await asked, { end: { how: "signal", value: 9 }, results: [] });
});

test("closed, it ends with what it was asked, and takes no more", async (t) => {
  const { prober: one, ask } = prober(t);
  await ask([{ do: "fs", path: "/" }]);
  process.kill(living(), "SIGSTOP");
  const asked = ask([{ do: "fs", path: "/" }]);
  one.close();
  const ended = { end: { how: "killed", why: "order" }, results: [] };
  assert.deepEqual(await asked, ended);
  assert.equal(process_of(), 0);
  assert.deepEqual(await ask([{ do: "fs", path: "/" }]), ended);
});

test("an answer to another request, or to none, is not taken", async (t) => {
  const program = join(scratch(t), "guard");
  for (const says of ["2\\n0 0 - 1 2 0\\n", "1x\\n0 0 - 1 2 0\\n", "0 0 - 1 2 0\\n"]) {
    writeFileSync(program, `#!/bin/sh\nhead -c 9 >/dev/null; printf '${says}'; exec sleep 60\n`, {
      mode: 0o755,
    });
    const { end, results } = await prober(t, program).ask([{ do: "fs", path: "/" }]);
    assert.deepEqual([end.how, results], ["killed", []], says);
  }
});

test("requests that are cut, too long or not understood end it", () => {
  const serve = (input: Buffer) => spawnSync(guard, ["probe", "serve"], { input, encoding: "latin1" });
  const request = (line: string, length = line.length): Buffer =>
    Buffer.concat([Buffer.from(Uint32Array.of(5, length).buffer), Buffer.from(line)]);
  const good = request("fs\0/\0");
  assert.match(serve(good).stdout, /^5\n0 0 - \d+ \d+ \d+\ntype=.*kind=dir$/);
  assert.equal(serve(Buffer.concat([good, good])).stdout.match(/^5$|kind=dir5\n/gm)?.length, 2);
  assert.equal(serve(good).status, 0);
  assert.equal(serve(Buffer.alloc(0)).status, 0);
  for (const bad of [
    good.subarray(0, 5),
    good.subarray(0, 10),
    request("fs\0", 65_537),
    request(""),
    request("fs\0"),
    request("rm\0/\0"),
  ])
    assert.equal(serve(bad).status, 64, bad.toString("latin1"));
});

test("no process can be started for it: told as a job's would be, and nothing is thrown", async (t) => {
  const nowhere = `/${"x".repeat(5000)}`; // spawn itself throws, as it does without memory or descriptors
  const one = new Prober({ guard: nowhere });
  t.after(() => one.close());
  const operations: Operation[] = [{ do: "fs", path: "/" }];
  for (let round = 0; round < 2; round++)
    assert.deepEqual(
      await one.run(operations, within(20_000)),
      await run_probe(operations, { ...within(20_000), guard: nowhere }),
    );
});

test("it keeps nobody's event loop alive", () => {
  const text = `
    import { Prober } from "${join(import.meta.dirname, "../../src/guard/prober.ts")}";
    const prober = new Prober({ guard: "${guard}" });
    const now_ns = () => 0n;
    const { end } = await prober.run([{ do: "fs", path: "/" }], { deadline_ns: 20n * 10n ** 9n, now_ns });
    console.log(end.how, end.value);`;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--input-type=module-typescript", "-e", text],
    {
      encoding: "utf8",
      timeout: 60_000,
    },
  );
  assert.deepEqual([status, stdout, stderr], [0, "exit 0\n", ""]);
});
