// A of the volume lease, measured for docs/storage.md: quiet storage, whose caches have time to grow old, and other mount options.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Kind, kinds, measured_ages, ready } from "./kinds.ts";

const others: readonly (readonly [Kind, string])[] = [
  ["nfs3", "actimeo=60"],
  ["nfs3", "nocto"],
  ["nfs4.2", "nocto"],
  ["cifs", "actimeo=30"],
  ["cifs", "cache=loose"],
];

for (const kind of kinds)
  test(`${kind} with default options: a lease's views are fresh`, async (t) => {
    if (!ready(t, kind)) return;
    for (const pace of ["quick", "quiet"]) {
      for (const { listing, content } of await measured_ages(t, [kind], pace))
        assert.deepEqual([listing.stale, content.stale], [0, 0]);
    }
  });

for (const [kind, options] of others)
  test(`${kind} with ${options}: the ages are measured`, async (t) => {
    if (!ready(t, kind)) return;
    for (const { listing } of await measured_ages(t, [kind], "quiet", options)) assert.ok(listing.looks > 0);
  });
