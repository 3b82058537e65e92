// ZooKeeper keeps the contract of a lock: one server, and an ensemble of three.

import { after } from "node:test";
import { nodes_at } from "../../src/lock/zookeeper/nodes.ts";
import type { ZooKeeperTarget } from "../../src/lock/zookeeper/session.ts";
import { make_parents } from "../../src/lock/zookeeper/register.ts";
import { release_zookeeper } from "../../src/lock/zookeeper/release.ts";
import { ZooKeeperLock } from "../../src/lock/zookeeper/lock.ts";
import { requires } from "../support/requires.ts";
import { ensemble, operator, type Ensemble } from "../support/zookeeper.ts";
import { contract, type Make } from "./contract.ts";

const started: Ensemble[] = [];
after(() => Promise.all(started.map((one) => one.end())));

const make =
  (size: 1 | 3): Make =>
  async (t) => {
    if (!requires(t, "zookeeper", "java")) return null;
    const zookeeper = await ensemble({ size });
    started.push(zookeeper);
    const target = (path: string): ZooKeeperTarget => zookeeper.target(path);
    const put = (path: string, data: string, root: string): Promise<void> =>
      operator(target(root), async (connection) => {
        await make_parents(connection, nodes_at(root));
        if ((await connection.exists(path)) !== "no-node") await connection.set(path, data);
        else await connection.multi([{ op: "create", path, data, ephemeral: false }]);
      });
    return {
      ttl_ms: 4000,
      attempt_ms: 1500,
      open: (path, options) => new ZooKeeperLock(target(path), options),
      release: release_zookeeper,
      delete_lock: (path) =>
        operator(target(path), async (connection) => {
          await connection.multi([{ op: "delete", path: nodes_at(path).lock }]);
        }),
      foreign: {
        overwrite_lock: (path, text) => put(nodes_at(path).lock, text, path),
        write_record: (path, text) => put(nodes_at(path).record, text, path),
      },
      stop: () => zookeeper.servers.forEach((server) => server.stop()),
      resume: () => zookeeper.servers.forEach((server) => server.resume()),
    };
  };

contract("ZooKeeper, one server", make(1));
contract("ZooKeeper, an ensemble of three", make(3));
