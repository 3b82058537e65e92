// The large configurations, and Spin's model, to the end. Up to 8 GB of memory and some hours on one core.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { requires } from "../support/requires.ts";
import { large } from "./cases.ts";
import { Models } from "./model.ts";

const models = new Models();
after(() => models.remove());

for (const { instances, view_age, words } of large) {
  test(`${instances} instances, views ${view_age} ticks old, ${words}: nothing is found`, (t) => {
    if (!requires(t, "g++")) return;
    const { found, output } = models.explore(instances, view_age, words);
    assert.equal(found, "none", output);
    t.diagnostic(output);
  });
}

for (const defines of ["-DTV=2", "-DTV=2 -DREMOVALS", "-DTV=3"]) {
  test(`Spin, ${defines}: nothing is found`, (t) => {
    if (!requires(t, "spin", "gcc")) return;
    const { found, output } = models.spin(defines);
    assert.equal(found, "none", output);
    t.diagnostic(/\d+ states, stored/.exec(output)?.[0] ?? "");
  });
}
