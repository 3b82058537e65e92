// What the guard refuses, and that a refusal changes nothing: deadlines in the past, beyond the cap, of tenures that are over.

import assert from "node:assert/strict";
import { test } from "node:test";
import { app, hand } from "../support/hand.ts";

const second_ns = 1_000_000_000;

test("deadlines: in the past, beyond the cap, of an older tenure, of a new one while the app runs", async (t) => {
  const ask = (tenure: number, ahead_ns: number): string[] => ["--deadline", `${tenure}:${ahead_ns}`];
  const h = await hand(t, {
    controller: [
      ...["--ttl", "5000", "--cap", "6000"],
      ...[
        ...ask(1, -1),
        ...ask(1, 7 * second_ns),
        ...ask(0, second_ns),
        ...ask(2, second_ns),
        ...ask(1, 2 * second_ns),
      ],
    ],
    app: [app],
  });
  await h.until(() => h.events().filter(({ event }) => event === "asked").length === 5);
  const statuses = h
    .events()
    .filter(({ event }) => event === "asked")
    .map(({ status }) => status);
  assert.deepEqual(statuses, ["past", "beyond", "late", "not_empty", "done"]);
  assert.equal(
    h.events().some(({ event }) => event === "killing"),
    false,
  );
});

test("a deadline may come nearer: the kill comes then", async (t) => {
  const h = await hand(t, {
    controller: ["--ttl", "600000", "--renew-for", "0", "--deadline", "1:500000000"],
    app: [app],
  });
  await h.event("started");
  assert.equal((await h.event("killing")).why, "deadline");
});

test("after its deadline has passed a tenure is over for good: renewals are late", async (t) => {
  const h = await hand(t, {
    controller: ["--ttl", "400", "--renew", "700", "--stay"],
    app: [app, "ignore", "daemon"],
  });
  const doomed = await h.app_tree(2);
  await h.event("empty");
  assert.deepEqual(h.alive(doomed), []);
  assert.equal((await h.event("refused")).status, "late");
});

test("no app is started under a deadline that is refused", async (t) => {
  const h = await hand(t, { controller: ["--ttl", "5000", "--cap", "1000"], app: [app, "say", "alive"] });
  assert.equal((await h.event("opened")).status, "beyond");
  assert.equal((await h.event("start")).status, "no_tenure");
  assert.equal(h.stdout(), "");
});

test("the controller can read the page, and not write it", async (t) => {
  const h = await hand(t, { controller: ["--write-page"], app: [app] });
  assert.equal((await h.event("wrote")).outcome, "EBADF");
});
