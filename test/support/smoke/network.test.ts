// The network of the tests loses what it says, and nothing else; otherwise the partitions of test/e2e would prove nothing.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { connect } from "node:net";
import { test } from "node:test";
import { network } from "../network.ts";
import { requires } from "../requires.ts";

const listener = `require("node:net").createServer((s) => s.pipe(s)).listen(7, () => console.log("up"))`;
/** Ends with 0 when it is answered within a second. */
const caller = `
  const socket = require("node:net").connect({ host: process.argv[1], port: 7 }, () => socket.write("x"));
  socket.on("data", () => process.exit(0)).on("error", () => process.exit(1));
  setTimeout(() => process.exit(2), 1000);`;

test("machines reach each other, but where they are cut; a door leads inside; the end removes it all", async (t) => {
  if (!requires(t, "root", "ip", "iptables", "unshare")) return;
  const net = network(["a", "b", "c"]);
  t.after(() => net.end());
  const [program, ...args] = [...net.exec("b"), process.execPath, "-e", listener];
  const server = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(server, "exit");
  await once(server.stdout, "data");

  const reaches = (from: string): boolean => {
    const [node, ...rest] = [...net.exec(from), process.execPath, "-e", caller, net.address("b")];
    return spawnSync(node, rest).status === 0;
  };
  assert.ok(reaches("a"));
  net.cut("a", "b");
  assert.ok(!reaches("a"));
  assert.ok(reaches("c"));
  net.mend("a", "b");
  assert.ok(reaches("a"));
  net.lose("b", "a");
  assert.ok(!reaches("a"));
  net.mend_all();
  assert.ok(reaches("a"));

  net.cut("a", "b");
  const socket = connect({ host: "127.0.0.1", port: await net.door("b", 7) });
  socket.write("x");
  assert.equal(String(await once(socket, "data")), "x");
  socket.destroy();

  await net.end();
  await ended;
  assert.deepEqual(
    readdirSync("/run/netns").filter((name) => name.startsWith(`lh-${process.pid}-`)),
    [],
  );
});
