// G3, G4, G8: each role dies or stops, alone and in the ways in which operators do that by accident. The app is one that
// has changed its user and has daemons; no process of it may survive.

import assert from "node:assert/strict";
import { execFile, spawn, spawnSync } from "node:child_process";
import { closeSync, openSync, readdirSync, readlinkSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { promisify } from "node:util";
import { app, compile, guard, hand, type Hand } from "../support/hand.ts";
import { descendants, is_alive } from "../support/processes.ts";
import { requires } from "../support/requires.ts";

const root = process.getuid?.() === 0;
const daemons = [app, ...(root ? ["uid", "65534"] : []), "ignore", "daemon", "child", "daemon"];
const processes = 4;

async function running(
  t: Parameters<typeof hand>[0],
  options: Partial<Parameters<typeof hand>[1]> = {},
): Promise<Hand> {
  const h = await hand(t, { controller: ["--ttl", "3000", "--grace", "300"], app: daemons, ...options });
  await h.event("started");
  return h;
}

const watch = compile("bench/watch.c");

/** When each of them dies. */
async function deaths(pids: readonly number[]): Promise<bigint[]> {
  const argv = ["1000000000", "at", "0", ...pids.map(String)];
  const { stdout } = await promisify(execFile)(watch, argv, { timeout: 30_000 });
  const [, ...lines] = stdout.trim().split("\n");
  return lines.map((line) => BigInt(line.split(" ")[1] ?? 0));
}

test("kill -9 of outer: inner kills the app, the controller hears of it", async (t) => {
  const h = await running(t, { controller: ["--ttl", "300000"] }); // the deadline is not what kills it
  const doomed = await h.app_tree(processes);
  h.kill(h.outer, "SIGKILL");
  await h.gone(doomed);
  await h.event("orphaned");
  assert.equal((await h.event("killing")).why, "outer_died");
  await h.event("empty");
});

test("kill -9 of inner: outer kills the app, the controller hears of it", async (t) => {
  const h = await running(t);
  const doomed = await h.app_tree(processes);
  h.kill(h.role("lh-inner"), "SIGKILL");
  await h.gone(doomed);
  assert.equal((await h.event("killing")).why, "inner_died");
  await h.event("empty");
  assert.equal((await h.exit).code, 137);
});

test("kill -9 of the controller: the app gets the stop signal, SIGKILL at the grace, exit code 70", async (t) => {
  const h = await running(t, { controller: ["--ttl", "20000", "--grace", "300"] });
  const doomed = await h.app_tree(processes);
  h.kill(h.controller, "SIGKILL");
  await h.gone(doomed);
  assert.equal((await h.exit).code, 70);
  assert.match(h.stderr(), /the controller died/);
});

test("kill -9 of the controller: an app that obeys the stop signal ends by it", async (t) => {
  const h = await running(t, {
    controller: ["--ttl", "20000", "--grace", "15000", "--stop-signal", "12"],
    app: [app, "signals"],
  });
  await h.output(/ready/);
  h.kill(h.controller, "SIGKILL");
  assert.equal((await h.exit).code, 70);
  assert.match(h.stdout(), /signal 12/);
});

test("kill -9 of the pump: the app is untouched, a new pump comes", async (t) => {
  const h = await running(t);
  const tree = await h.app_tree(processes);
  const pump = h.role("lh-pump");
  h.kill(pump, "SIGKILL");
  await h.until(() => {
    const now = h.maybe_role("lh-pump");
    return now !== undefined && now !== pump;
  });
  assert.deepEqual(h.alive(tree), tree);
});

test("kill -STOP of outer: the app dies at the deadline", async (t) => {
  const h = await running(t, { controller: ["--ttl", "800"] });
  const doomed = await h.app_tree(processes);
  h.kill(h.outer, "SIGSTOP");
  await h.gone(doomed);
  h.kill(h.outer, "SIGCONT");
  await h.event("empty");
});

test("kill -STOP of inner: outer kills the app at the deadline", async (t) => {
  const h = await running(t, { controller: ["--ttl", "800", "--renew-for", "500"] });
  const doomed = await h.app_tree(processes);
  h.kill(h.role("lh-inner"), "SIGSTOP");
  await h.gone(doomed);
  await h.event("empty");
  await h.until(() => /did not kill within 100 ms/.test(h.stderr()));
});

test("kill -STOP of inner: the app is dead before inner has to go", async (t) => {
  const h = await running(t, { controller: ["--ttl", "2500", "--renew-for", "0"] });
  const doomed = await h.app_tree(processes);
  const inner = h.role("lh-inner");
  h.kill(inner, "SIGSTOP");
  const [inner_at = 0n, ...app_at] = await deaths([inner, ...doomed.map(({ pid }) => pid)]);
  assert.ok(app_at.length >= processes);
  for (const at of app_at) assert.ok(at < inner_at, "it lived until outer took over");
});

test("kill -STOP of inner, then an order to kill: outer does it", async (t) => {
  const h = await running(t, { controller: ["--ttl", "20000", "--kill-after", "1200"] });
  const doomed = await h.app_tree(processes);
  h.kill(h.role("lh-inner"), "SIGSTOP");
  await h.gone(doomed);
  await h.event("empty");
});

test("kill -STOP of the controller: the app dies at the deadline, then the controller counts as dead", async (t) => {
  const h = await running(t, { controller: ["--ttl", "800"] });
  const doomed = await h.app_tree(processes);
  h.kill(h.controller, "SIGSTOP");
  await h.gone(doomed);
  assert.equal((await h.exit).code, 70);
  assert.match(h.stderr(), /silent for 5 s/);
});

test("kill -STOP of the pump: the app is untouched and the deadline is kept", async (t) => {
  const h = await running(t, { controller: ["--ttl", "1000", "--renew-for", "800"] });
  const doomed = await h.app_tree(processes);
  h.kill(h.role("lh-pump"), "SIGSTOP");
  await h.gone(doomed);
  await h.event("empty");
});

test("outer and the controller get kill -9 together: inner kills the app and releases", async (t) => {
  const h = await running(t, { controller: ["--ttl", "20000", "--release", "record 7"] });
  const doomed = await h.app_tree(processes);
  await h.event("registered");
  h.kill(h.controller, "SIGKILL");
  h.kill(h.outer, "SIGKILL");
  await h.gone(doomed);
  assert.equal((await h.event("released")).record, "record 7");
});

const long_job = [app, "ignore", "daemon", "child", "daemon"];

/** A job that is not the controller's, as one of `leasehold exec`. */
function foreign_job(t: TestContext, h: Hand): number {
  const folder = `/proc/${h.outer}/fd`;
  const fd = readdirSync(folder).find((name) => readlinkSync(`${folder}/${name}`).includes("leasehold-page"));
  const page = openSync(`${folder}/${fd}`, "r");
  const argv = ["job", "--deadline", String(10n ** 18n), "--tenure", "1", "--", ...long_job];
  const job = spawn(guard, argv, { stdio: ["ignore", "ignore", "ignore", "pipe", page] });
  closeSync(page);
  t.after(() => job.kill("SIGKILL"));
  return job.pid ?? 0;
}

type Lives = {
  options: string[];
  job: (t: TestContext, h: Hand) => number | undefined;
  dead: (h: Hand) => number[];
};
const lives: Record<string, Lives> = {
  "while outer and the controller get kill -9": {
    options: ["--job", long_job.join(" ")],
    job: (_, h) => h.maybe_role("lh-job"),
    dead: (h) => [h.outer, h.controller], // the other way round outer would begin to kill
  },
  "that is none of the controller's, while that gets kill -9": {
    options: [],
    job: foreign_job,
    dead: (h) => [h.controller],
  },
};
for (const [when, { options, job, dead }] of Object.entries(lives)) {
  test(`a job lives ${when}: released only when it has ended`, async (t) => {
    const h = await running(t, {
      controller: ["--ttl", "20000", "--grace", "0", "--release", "record 7", ...options],
    });
    const doomed = await h.app_tree(processes);
    await h.event("registered");
    const job_guard = await h.until(() => job(t, h));
    const below = await h.tree_below(job_guard, 4);
    h.kill(job_guard, "SIGSTOP"); // it would end at once
    for (const pid of dead(h)) h.kill(pid, "SIGKILL");
    await h.gone(doomed);
    await h.sleep(1000);
    assert.deepEqual(h.alive(below), below);
    assert.equal(
      h.events().some(({ event }) => event === "released"),
      false,
    );
    h.kill(job_guard, "SIGCONT");
    await h.gone(below);
    assert.equal((await h.event("released")).record, "record 7");
  });
}

test("outer is killed when it has just killed the job guard: nothing is released beside the job", async (t) => {
  const options = ["--ttl", "20000", "--grace", "9000", "--release", "record 7", "--job", long_job.join(" ")];
  for (let round = 0; round < 8; round++) {
    const h = await running(t, { controller: options });
    await h.event("registered");
    const job_guard = await h.until(() => h.maybe_role("lh-job"));
    const below = await h.tree_below(job_guard, 4);
    const [watched] = h
      .alive([...below, ...descendants(h.controller)])
      .filter(({ pid }) => pid === job_guard);
    assert.ok(watched);
    h.kill(job_guard, "SIGSTOP"); // it would kill them itself
    h.kill(h.controller, "SIGKILL");
    while (is_alive(watched)); // what follows is a matter of a millisecond
    h.kill(h.outer, "SIGKILL");
    await h.event("released");
    assert.deepEqual(h.alive(below), []);
  }
});

// ---- by accident ----

// Process groups are signalled by the system call: procps' kill may take a group such as -1234 for -1, and then signals
// everybody.
const accidents: Record<string, (h: Hand) => void> = {
  "pkill -9 leasehold": (h) => run("pkill", "-9", "-x", "-P", String(h.parent), "leasehold"),
  "pkill -9 -f leasehold": (h) => run("pkill", "-9", "-f", `leasehold.*${h.mark}`),
  "kill -9 -PGID of outer": (h) => process.kill(-h.process_group(h.outer), "SIGKILL"),
  "kill -9 -PGID of inner": (h) => process.kill(-h.process_group(h.role("lh-inner")), "SIGKILL"),
  "kill -9 -PGID of the app": (h) => process.kill(-h.app_group(), "SIGKILL"),
};
function run(program: string, ...args: string[]): void {
  assert.equal(spawnSync(program, args).status, 0);
}
for (const [name, act] of Object.entries(accidents)) {
  test(`${name}: no process of the app survives`, async (t) => {
    if (!requires(t, "pkill")) return;
    const h = await running(t, { detached: true });
    const doomed = await h.app_tree(processes);
    act(h);
    await h.gone(doomed);
    await h.event("empty");
  });
}

test("kill -STOP -PGID of outer: the app dies at the deadline", async (t) => {
  const h = await running(t, { detached: true, controller: ["--ttl", "800"] });
  const doomed = await h.app_tree(processes);
  process.kill(-h.process_group(h.outer), "SIGSTOP");
  await h.gone(doomed);
});

test("timeout -s KILL: no process of the app survives", async (t) => {
  const h = await running(t, { wrapper: ["timeout", "-s", "KILL", "2"] });
  const doomed = await h.app_tree(processes);
  await h.gone(doomed);
  await h.event("empty");
});

test("timeout with SIGTERM: a requested stop", async (t) => {
  const h = await running(t, {
    wrapper: ["timeout", "2"],
    app: [app, "signals"],
    controller: ["--stop-signal", "12"],
  });
  assert.equal((await h.event("signalled")).signal, 15);
  await h.event("empty");
  assert.match(h.stdout(), /signal 12/);
});

// ---- what touches the volume beside the app ----

test("a job guard gets kill -9: outer kills what it leaves", async (t) => {
  const h = await running(t, {
    controller: ["--ttl", "20000", "--job", `${app} ignore daemon child daemon`],
  });
  const job = await h.until(() => h.maybe_role("lh-job"));
  const doomed = await h.tree_below(job, 4);
  h.kill(job, "SIGKILL");
  await h.gone(doomed);
});

test("the controller dies: its jobs and all that they started die", async (t) => {
  const h = await running(t, {
    controller: ["--ttl", "20000", "--job", `${app} ignore daemon child daemon`],
  });
  const doomed = await h.tree_below(await h.until(() => h.maybe_role("lh-job")), 4);
  h.kill(h.controller, "SIGKILL");
  await h.gone(doomed);
  assert.equal((await h.exit).code, 70);
});

test("the tenure ends: its jobs die, though their own deadlines lie far ahead", async (t) => {
  const h = await running(t, {
    controller: [
      "--ttl",
      "1500",
      "--renew-for",
      "500",
      "--stay",
      "--job",
      `${app} ignore daemon child daemon`,
    ],
  });
  const doomed = await h.tree_below(await h.until(() => h.maybe_role("lh-job")), 4);
  await h.gone(doomed);
});
