// Mounts a volume, and has the figures taken on it: scene glusterfs|nfs PAIRS SECONDS
// all|postgresql|redis [control]. Run by test/support/scene.ts.

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { Gluster } from "../../test/support/gluster.ts";
import { guard } from "../../test/support/hand.ts";
import { machines } from "../../test/support/machines.ts";
import { Nfs } from "../../test/support/nfs.ts";
import { scene_end, tell } from "../../test/support/scene.ts";
import { apart, keep_away } from "../processors.ts";

const [, , kind = "", ...plan] = process.argv;
const path = "/mnt/data";

/** What starts a program where the volume is mounted. */
async function mounted(): Promise<readonly string[]> {
  if (kind === "glusterfs") {
    new Gluster().mount(path);
    keep_away("gluster");
    return apart;
  }
  const { server, client } = (await machines(["server", "client"])).machines;
  new Nfs(server, "1G").mount(client, path, "4.2");
  return client.exec;
}

const there = await mounted();
const run = (...command: string[]): string => {
  const [program = "", ...args] = [...there, ...command];
  return execFileSync(program, args, { stdio: ["ignore", "pipe", "inherit"], encoding: "utf8" });
};
run(guard, "volume", "init", path);
const lines = run(process.execPath, join(import.meta.dirname, "measure.ts"), path, ...plan);
tell("lines", { lines });
scene_end();
