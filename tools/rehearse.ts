// Makes dist/controller.cache: runs the controller once, from a take to a release, and keeps what V8 has compiled by then.
// It is the guard's controller while it does so: tools/build.ts starts it by `leasehold guard NODE tools/rehearse.ts DIST -- true`.

import { renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { load } from "../src/start.ts";

const [, , dist = ""] = process.argv;

/** The least that an etcd of one's own says. It keeps nothing: only which code runs is asked for here, not what comes of it. */
const answers: Readonly<Record<string, object>> = {
  "/v3/lease/grant": { ID: "1", TTL: "30" },
  "/v3/lease/revoke": {},
  "/v3/kv/txn": { succeeded: true },
};
const server = createServer((request, response) => {
  const answer = answers[request.url ?? ""];
  if (answer === undefined) return response.writeHead(200).flushHeaders(); // a watch, in which nothing happens
  request.resume().on("end", () => {
    response.end(JSON.stringify({ header: { cluster_id: "1", revision: "1" }, ...answer }));
  });
}).listen(0, "127.0.0.1", () => {
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  const { run, make_cache } = load(dist);
  process.on("exit", (code) => {
    if (code !== 0) return;
    const path = join(dist, "controller.cache");
    writeFileSync(`${path}.${process.pid}`, make_cache());
    renameSync(`${path}.${process.pid}`, path);
  });
  process.argv = [process.execPath, join(dist, "leasehold.cjs"), "run"];
  process.argv.push("--lock", `etcd://127.0.0.1:${port}/rehearsal`, "--", "true");
  run();
});
