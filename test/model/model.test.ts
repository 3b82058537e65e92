// The volume lease in the model: small configurations to the end, and every planted defect. The large ones: model.long.ts.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { requires } from "../support/requires.ts";
import { plants, small } from "./cases.ts";
import { Models } from "./model.ts";

const models = new Models();
after(() => models.remove());

for (const { instances, view_age, words } of small) {
  test(`${instances} instances, views ${view_age} ticks old, ${words}: nothing is found`, (t) => {
    if (!requires(t, "g++")) return;
    const { found, output } = models.explore(instances, view_age, words);
    assert.equal(found, "none", output);
    t.diagnostic(output);
  });
}

for (const { trap, what, instances, view_age, words } of plants) {
  test(`planted, trap ${trap}: ${what}`, (t) => {
    if (!requires(t, "g++")) return;
    const { found, output } = models.explore(instances, view_age, words);
    assert.equal(found, "violation", output);
    // By what it does: an app is started that must not be.
    assert.match(output, /STARTS ITS APP .*$/);
    t.diagnostic(output.split("\n")[0] ?? "");
  });
}

test("planted, in Spin: no look; a silence that is too short", (t) => {
  if (!requires(t, "spin", "gcc")) return;
  for (const defines of ["-DTV=2 -DNO_LOOK", "-DTV=2 -DSHORT_SILENCE"])
    assert.equal(models.spin(defines).found, "violation", defines);
});
