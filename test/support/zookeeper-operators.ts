// What operators do to the holder of a lock in ZooKeeper, to its processes and to what it wrote; see zookeeper-faults.ts.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { LockUnknown } from "../../src/errors.ts";
import { ZooKeeperSession } from "../../src/lock/zookeeper/session.ts";
import { until } from "./contenders.ts";
import { each, type Fault, ttl_ms } from "./zookeeper-faults.ts";
import { type Pair, type Scene, taken_over, untouched } from "./zookeeper-scene.ts";
import { operator } from "./zookeeper.ts";

const killed = (role: string, pid: (pair: Pair) => number | undefined): Fault => ({
  name: `kill -9 of ${role}`,
  strike: each(async (_, pair) => {
    const number = pid(pair);
    assert.ok(number !== undefined && number > 1);
    pair.holder.signal("SIGKILL", number);
    await taken_over(pair);
  }),
});

export const kills: readonly Fault[] = [
  killed("the controller", ({ holder }) => holder.controller),
  killed("outer", ({ holder }) => holder.outer),
  killed("inner", ({ holder }) => holder.inner),
  killed("the app", ({ app }) => app),
  {
    name: "SIGTERM",
    options: { stamper: [] },
    strike: each(async (_, pair) => {
      pair.holder.signal("SIGTERM");
      await taken_over(pair);
      assert.equal(await pair.holder.exited(), 143);
    }),
  },
];

const password = "s3cret";

export const operators: readonly Fault[] = [
  {
    name: "an operator deletes the lock's node",
    strike: each(async (scene, pair) => {
      await operator(scene.zookeeper.target("/"), (connection) =>
        connection.multi([{ op: "delete", path: `${pair.path}/lock` }]),
      );
      await taken_over(pair);
      assert.equal(await pair.holder.exited(), 80);
    }),
  },
  {
    name: "an operator overwrites the lock's node",
    strike: each(async (scene, pair) => {
      await operator(scene.zookeeper.target("/"), async (connection) => {
        await connection.set(`${pair.path}/lock`, "somebody's");
        await until(async () => {
          const node = await connection.get(`${pair.path}/lock`);
          return node !== "no-node" && node.data !== "somebody's";
        }, "the holder's next proof");
      });
      untouched(pair);
    }),
  },
  {
    name: "an operator ends the holder's session",
    strike: each(async (scene, pair) => {
      const target = scene.zookeeper.target("/");
      const node = await operator(target, (connection) => connection.get(`${pair.path}/lock`));
      assert.ok(node !== "no-node");
      await end_session(scene, node.stat.ephemeral_owner);
      await taken_over(pair);
      assert.equal(await pair.holder.exited(), 80);
    }),
  },
  {
    name: "an operator takes the permission for the lock's node away",
    options: { args: ["--lock-user", "app"], env: { LEASEHOLD_LOCK_PASSWORD: password } },
    strike: each(async (scene, pair) => {
      const node = `${pair.path}/lock`;
      shell_of(scene.zookeeper.servers[0]?.port ?? 0, [
        `addauth digest app:${password}`,
        `setAcl ${node} digest:somebody:else:cdrwa`,
      ]);
      await taken_over(pair);
      assert.equal(await pair.holder.exited(), 80);
    }),
  },
];

/** ZooKeeper's own shell. */
function shell_of(port: number, lines: readonly string[]): void {
  const java = ["-Xmx100m", "-cp", "/usr/share/java/*", "org.apache.zookeeper.ZooKeeperMain"];
  const { status, stderr, stdout } = spawnSync("java", [...java, "-server", `127.0.0.1:${port}`], {
    input: `${lines.join("\n")}\nquit\n`,
    encoding: "utf8",
    timeout: 30_000,
  });
  assert.equal(status, 0, `${stdout}${stderr}`);
}

/** Whoever attaches last has the session; the holder's own rounds may come in between. */
async function end_session({ zookeeper }: Scene, id: bigint): Promise<void> {
  const api = new ZooKeeperSession(zookeeper.target("/"), { attempt_ms: 5000 });
  const session = { id, password: password_of(id) };
  const ignore = (): void => {};
  await until(async () => {
    try {
      const answer = await api.connect({ session, timeout_ms: ttl_ms, on_sent: ignore, on_event: ignore });
      if (answer.kind === "connected") await answer.connection.close_session();
      return true;
    } catch (error) {
      if (!(error instanceof LockUnknown)) throw error;
      return false;
    }
  }, "the session's end");
}

/** As every server makes it: `new Random(id ^ 0xB3415C00L).nextBytes(password)`. So whoever can read a node can end its session. */
function password_of(id: bigint): Buffer {
  const mask = (1n << 48n) - 1n;
  let state = (id ^ 0xb341_5c00n ^ 0x5_deec_e66dn) & mask;
  const password = Buffer.alloc(16);
  for (let at = 0; at < 16; at += 4) {
    state = (state * 0x5_deec_e66dn + 0xbn) & mask;
    password.writeInt32LE(Number(BigInt.asIntN(32, state >> 16n)), at);
  }
  return password;
}
