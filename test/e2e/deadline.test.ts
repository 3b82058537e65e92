// G1, G5: when the deadline passes the whole tree is killed, whatever the controller does and whatever the app is.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { app, hand } from "../support/hand.ts";
import { requires } from "../support/requires.ts";

/** The app's first process ignores all it can, has a child, and a daemon of another session. */
const stubborn = [app, "ignore", "child", "daemon"];

// What the controller does after the start; the deadline is renewed for 0.4 s at most, then passes.
const controllers = {
  "renews no more": [],
  "is stopped": ["--after-start", "stop-self"],
  spins: ["--after-start", "spin"],
  "reads its socket no more and goes on ordering": ["--after-start", "flood"],
};
for (const [name, options] of Object.entries(controllers)) {
  test(`the deadline passes while the controller ${name}`, async (t) => {
    const h = await hand(t, {
      controller: ["--ttl", "600", "--renew-for", "300", ...options],
      app: stubborn,
    });
    const doomed = await h.app_tree(3);
    h.go();
    await h.gone(doomed);
    await h.no_descendant();
  });
}

/** How often it had the processor and left it. */
function turns(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/status`, "latin1");
    return [...text.matchAll(/ctxt_switches:\s*(\d+)/g)].reduce((sum, [, n]) => sum + Number(n), 0);
  } catch {
    return undefined; // it has ended
  }
}

test("inner stands in line for a processor before its deadline, and sleeps while that is far", async (t) => {
  const h = await hand(t, { controller: ["--ttl", "3000", "--renew-for", "0"], app: stubborn });
  await h.app_tree(3);
  const inner = h.role("lh-inner");
  await h.sleep(300); // it has said what there is to say about the start
  const begin = turns(inner);
  await h.sleep(300);
  const later = turns(inner);
  let last = later;
  await h.until(() => {
    const now = turns(inner);
    if (now !== undefined) last = now;
    return h.events().some(({ event }) => event === "killing");
  });
  assert.equal(later, begin);
  assert.ok((last ?? 0) >= (later ?? 0) + 10, `${begin}, ${later}, then ${last}`);
});

test("the stack that a kill may need is in memory before the app is", async (t) => {
  if (!requires(t, "root")) return;
  const h = await hand(t, { controller: ["--ttl", "20000"], app: [app] });
  await h.app_tree(1);
  for (const pid of [h.outer, h.role("lh-inner")]) {
    const smaps = readFileSync(`/proc/${pid}/smaps`, "latin1");
    const kB = Number(/\[stack\]\n[^[]*?\nRss:\s+(\d+) kB/.exec(smaps)?.[1]);
    assert.ok(kB >= 32, `${kB} kB`);
  }
});

test("the deadline passes while the controller is dead: killed as its death demands, at the deadline at the latest", async (t) => {
  const h = await hand(t, {
    controller: ["--ttl", "900", "--grace", "60000", "--after-start", "kill-self"],
    app: stubborn,
  });
  await h.event("started");
  const doomed = await h.app_tree(3);
  await h.gone(doomed);
  assert.equal((await h.exit).code, 70);
});

// What the app is made of; how many processes are waited for before the deadline comes. (0: this test gets no processor
// time to look while the app runs; what is left of it is looked for afterwards.)
const apps: Record<string, readonly [number, ...string[]]> = {
  "ignores every signal it can": [1, "ignore"],
  "has a daemon in a session of its own": [2, "daemon"],
  "has changed its user and left daemons behind": [3, "uid", "65534", "daemon", "ignore", "daemon"],
  "is a chain of forty descendants, each in a session of its own": [41, "ignore", "deep", "40"],
  "is stopped": [2, "ignore", "daemon", "stop"],
  "is daemons that live on by forking": [1, "ignore", "rabbits", "20"],
  "forks while it is killed, five hundred at a time": [0, "ignore", "bomb", "500"],
  "breeds dying orphans as fast as it can": [1, "ignore", "daemon", "storm", "60000"],
  "has five thousand zombies": [1, "ignore", "zombies", "5000"],
};
for (const [name, [least, ...acts]] of Object.entries(apps)) {
  test(`the deadline passes while the app ${name}`, async (t) => {
    if (acts.includes("uid") && !requires(t, "root")) return;
    const h = await hand(t, { controller: ["--ttl", "3000", "--renew-for", "0"], app: [app, ...acts] });
    await h.event("started");
    const doomed = least > 0 ? await h.app_tree(least) : [];
    assert.equal((await h.event("killing")).why, "deadline");
    await h.event("empty");
    assert.deepEqual(h.alive(doomed), []);
    await h.no_descendant();
    assert.equal((await h.exit).code, 137);
  });
}

test("the deadline passes while the app holds 4 GiB", async (t) => {
  const h = await hand(t, {
    controller: ["--ttl", "2000"],
    app: [app, "hold", "4096", "say", "held", "child"],
  });
  await h.output(/held/);
  const doomed = await h.app_tree(2);
  h.kill(h.controller, "SIGSTOP");
  await h.gone(doomed);
  h.kill(h.controller, "SIGCONT");
  await h.event("empty");
});

test("the deadline passes while the app is traced", async (t) => {
  if (!requires(t, "strace")) return;
  const h = await hand(t, {
    controller: ["--ttl", "1500", "--renew-for", "0"],
    app: ["strace", "-f", "-o", "/dev/null", app, "ignore", "daemon", "child"],
  });
  const doomed = await h.app_tree(4);
  await h.gone(doomed);
  await h.event("empty");
});

test("inner gets its turn only after the deadline: the app isn't executed any more", async (t) => {
  if (!requires(t, "strace")) return;
  // Each first pipe2 waits: outer's before anything begins, inner's just before it forks the app. And so does each first kill, so
  // that an app which began all the same would have the time to say so.
  const kills = "kill,pidfd_send_signal";
  const late = [`trace=pipe2,${kills}`, "-e", "inject=pipe2:delay_enter=450000:when=1"];
  late.push("-e", `inject=${kills}:delay_enter=300000:when=1`);
  const h = await hand(t, {
    wrapper: ["strace", "-f", "-qq", "-o", "/dev/null", "-e", ...late],
    controller: ["--ttl", "400", "--renew-for", "0"],
    app: [app, "say", "too late"],
  });
  assert.equal((await h.event("killing")).why, "deadline");
  await h.event("empty");
  assert.equal(h.stdout(), "");
});

test("a deadline that is renewed keeps the app, far beyond the first one", async (t) => {
  const h = await hand(t, { controller: ["--ttl", "400"], app: [app] });
  await h.event("started");
  await h.sleep(1600);
  assert.equal(
    h.events().some(({ event }) => event === "killing"),
    false,
  );
});

test("an order to kill is obeyed, and empty comes after the last process", async (t) => {
  const h = await hand(t, { controller: ["--kill-after", "1500"], app: stubborn });
  const doomed = await h.app_tree(3);
  assert.equal((await h.event("killing")).why, "order");
  await h.event("empty");
  assert.deepEqual(h.alive(doomed), []);
});

test("what the main process leaves behind ends with it", async (t) => {
  const h = await hand(t, { controller: [], app: [app, "ignore", "daemon", "child", "exit", "9"] });
  assert.equal((await h.event("killing")).why, "main_ended");
  await h.event("empty");
  await h.no_descendant();
  assert.equal((await h.exit).code, 9);
});

test("the app is started anew only when nothing is left of the one before", async (t) => {
  const h = await hand(t, { controller: ["--restart", "3"], app: [app, "ignore", "daemon", "exit", "0"] });
  await h.exit;
  const order = h
    .events()
    .map(({ event }) => event)
    .filter((event) => event === "started" || event === "empty");
  assert.deepEqual(order, Array.from({ length: 4 }, () => ["started", "empty"]).flat());
});
