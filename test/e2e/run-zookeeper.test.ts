// The main job on real ZooKeeper servers: two contenders for one lock, an app that writes down when it lived, and what befalls
// them. run-zookeeper.long.ts has twenty runs of each fault.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, test, type TestContext } from "node:test";
import { guard } from "../support/hand.ts";
import { requires } from "../support/requires.ts";
import { harmless, longer_than_the_lease, run } from "../support/zookeeper-faults.ts";
import { kills, operators } from "../support/zookeeper-operators.ts";
import { Scene, taken_over, untouched } from "../support/zookeeper-scene.ts";

let started: Promise<Scene> | undefined;
after(async () => (await started)?.end());

/** The file's servers and network, shared by its tests; null: skipped. */
async function scene(t: TestContext): Promise<Scene | null> {
  if (!requires(t, "zookeeper", "java", "root", "ip", "iptables", "unshare")) return null;
  return (started ??= Scene.start({}));
}

test("leader and status name the holder and who stands by, before and after a hand-over", async (t) => {
  const s = await scene(t);
  if (!s) return;
  const [pair] = await s.pairs(t, { args: ["--advertise", "db:5432"], stamper: [] });
  assert.ok(pair);
  const ask = (command: string, ...args: string[]): string => {
    const [program, ...rest] = [
      ...s.network.exec("b0"),
      guard,
      command,
      "--lock",
      s.zookeeper.url(pair.path),
    ];
    return execFileSync(program, [...rest, ...args], { encoding: "utf8", env: { PATH: process.env.PATH } });
  };
  const leader = (): { node: string; token: string; address: string } => JSON.parse(ask("leader"));
  const { node, token, address } = leader();
  assert.deepEqual({ node, address }, { node: "node-1", address: "db:5432" });
  assert.equal(String(pair.lives.lives()[0]?.token), token);
  assert.match(
    ask("status"),
    /^holder +node-1 at db:5432 since .*, token \d+\nstandby +node-2 at db:5432\n$/m,
  );

  pair.holder.signal("SIGTERM");
  await taken_over(pair);
  assert.equal(leader().node, "node-2");
  assert.ok(BigInt(leader().token) > BigInt(token));
  assert.match(ask("status"), /^standby +nobody$/m);
  pair.standby.signal("SIGTERM");
  await pair.standby.exited();
  assert.equal(ask("leader"), "null\n");
  assert.match(ask("status"), /^holder +nobody\nlast +node-2 .*, ended clean$/m);
});

const later: readonly string[] = [
  "the servers hear the holder, but it doesn't hear them",
  "all servers are stopped, and go on",
  "the only server that the holder knows is stopped right after a proof",
  "the holder's server dies without a word, and is there again",
];
for (const fault of [...kills, ...operators, ...longer_than_the_lease, ...harmless]) {
  if (later.includes(fault.name)) continue;
  test(fault.name, { timeout: 120_000 }, async (t) => {
    const s = await scene(t);
    if (!s) return;
    const struck = await run(t, s, fault);
    assert.ok(struck.length > 0);
    if (harmless.includes(fault)) struck.forEach(untouched);
  });
}
