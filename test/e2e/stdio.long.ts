// Standard output and error are full pipes for minutes: the app is untouched and renewed, the deadline is kept at the end.
//
//   npm run test:long -- stdio

import assert from "node:assert/strict";
import { test } from "node:test";
import { app, hand } from "../support/hand.ts";

const minutes_ms = Number(process.env.LEASEHOLD_TEST_FULL_MS ?? 180_000);

test("nobody reads for minutes: the app lives on, and dies when its deadline passes", async (t) => {
  const fill =
    "import os,sys\nfor fd in (1,2):\n os.set_blocking(fd,False)\n try:\n  while True: os.write(fd,b'.'*4096)\n except BlockingIOError: os.set_blocking(fd,True)\n";
  const h = await hand(t, {
    wrapper: ["sh", "-c", 'python3 -c "$1"; shift; exec "$@"', "fill", fill],
    controller: ["--ttl", "2500", "--renew-for", String(minutes_ms), "--after-start", "log-flood"],
    app: [app, "ignore", "daemon", "child"],
    silent: true,
  });
  await h.event("started");
  const doomed = await h.app_tree(3);
  for (let waited_ms = 0; waited_ms < minutes_ms - 5000; waited_ms += 5000) {
    await h.sleep(5000);
    assert.deepEqual(h.alive(doomed), doomed);
  }
  assert.equal((await h.event("killing")).why, "deadline");
  await h.gone(doomed);
  await h.event("empty");
});
