// One short run of mixed faults of each kind; mixed-faults.long.ts has hundreds.

import { randomInt } from "node:crypto";
import { test } from "node:test";
import { mixed_run } from "../support/mixed-faults.ts";
import { requires } from "../support/requires.ts";

test("mixed faults at random moments, and never two apps", { concurrency: true }, async (t) => {
  if (!requires(t, "root", "bindfs", "etcd", "etcdctl")) return;
  const locks = ["file", "etcd", "twice"] as const;
  await Promise.all(
    locks.map((lock) =>
      t.test(lock, async (t) => {
        const { struck, tenures } = await mixed_run(t, { lock, seed: randomInt(2 ** 30), faults: 3 });
        t.diagnostic(`${tenures} tenures: ${[...struck.keys()].join(", ")}`);
      }),
    ),
  );
});
