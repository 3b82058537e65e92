import assert from "node:assert/strict";
import { test } from "node:test";
import { outcome } from "./outcome.ts";

test("the drawing has each part with its length and each instant", async () => {
  const [names, line, instants] = (await outcome("explain", "--drain", "1s")).split("\n");
  assert.equal(names, "proof asked              stop signal        SIGKILL       flushed          another's");
  assert.equal(line, "├─ renew, retry 22.47 s ─┼─ loss grace 5 s ─┼─ drain 1 s ─┼─ margin 1.5 s ─┤");
  assert.equal(
    instants,
    "0 ms                     22.47 s            27.47 s       28.47 s          29.97 s",
  );
});

test("parts of no length aren't drawn", async () => {
  const [names, line] = (await outcome("explain", "--loss-grace", "0")).split("\n");
  assert.equal(line, "├─ renew, retry 28.47 s ─┼─ margin 1.5 s ─┤");
  assert.equal(names, "proof asked              SIGKILL          another's");
});

test("it says how long the lock service may be silent", async () => {
  // 30 s less 30 ms for the clocks, 1.5 s margin, 5 s grace; the last renewal was up to 3 s ago.
  assert.match(
    await outcome("explain"),
    /The lock service may be silent for 20\.47 s; then the app has 5 s to stop before/,
  );
});

test("only the lock's own backend is explained, both when no lock is given", async () => {
  assert.match(await outcome("explain", "--lock", "etcd://h/a"), /etcd: the bound is the TTL granted/);
  assert.doesNotMatch(await outcome("explain", "--lock", "etcd://h/a"), /ZooKeeper/);
  assert.doesNotMatch(await outcome("explain", "--lock", "zk://h/a"), /etcd/);
  assert.match(await outcome("explain"), /ZooKeeper: [^]*etcd: /);
});

test("a volume: when it counts as lost, and what its lease costs", async () => {
  const text = await outcome(
    "explain",
    "--lock",
    "etcd://h/a",
    "--volume",
    "/data,probe=2s/1s×3,view-age=500ms",
  );
  assert.match(
    text,
    /\/data is looked at every 2 s, .* within 1 s, 3 in a row: killed after at most 5 s and half/,
  );
  assert.match(text, /after a crash 30 s \+ 2 × 500 ms/);
  assert.match(text, /needs both, the lock and the volume/);
  assert.match(await outcome("explain", "--lock", "file:///data"), /The volume's word is enough/);
  assert.doesNotMatch(await outcome("explain"), /looked at/);
});

test("a stop that doesn't fit into the orchestrator's limit is told, with what to give", async () => {
  const text = await outcome("explain");
  assert.match(text, /A requested stop takes at most 23 s: stop timeout 20 s \+ release 3 s\./);
  assert.match(text, /terminationGracePeriodSeconds \(30 s by default\): fits$/m);
  assert.match(text, /docker stop --time \(10 s by default\): too short for a clean stop, give 23$/m);
  assert.match(text, /taskKillGracePeriodSeconds \(3 s by default\): too short .*, give 23$/m);
  const short = await outcome("explain", "--ttl", "6s", "--stop-timeout", "1500ms");
  assert.match(short, /taskKillGracePeriodSeconds \(3 s by default\): fits$/m);
  const hook = await outcome("explain", "--post-stop", "sync", "--hook-timeout", "20s", "--drain", "1s");
  assert.match(hook, /at most 44 s: stop timeout 20 s \+ drain 1 s \+ post-stop hook 20 s \+ release 3 s\./);
});

test("durations that can't work are drawn all the same, and refused with the numbers", async () => {
  const text = await outcome("explain", "--ttl", "2s");
  assert.match(text, /^proof asked/);
  assert.match(
    text,
    /\n78 a lease of 2 s is too short: .*; lengthen --ttl or shorten the parts, see leasehold explain$/,
  );
});

test("no line is longer than a wide terminal", async () => {
  for (const argv of [[], ["--ttl", "596h", "--drain", "100h", "--loss-grace", "100h"], ["--ttl", "1ms"]]) {
    const lines = (await outcome("explain", ...argv)).split("\n").filter((line) => !line.startsWith("78 "));
    assert.deepEqual(
      lines.filter((line) => line.length > 110),
      [],
    );
  }
});
