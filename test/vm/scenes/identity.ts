// Who a volume on a server is, from its first use on: identity nfs3|nfs4.2|cifs

import { Cifs } from "../../support/cifs.ts";
import { machines } from "../../support/machines.ts";
import { Nfs } from "../../support/nfs.ts";
import { scene_end, tell } from "../../support/scene.ts";
import { Play, scene_etcd } from "../../support/volume-scene.ts";

const [, , kind = ""] = process.argv;
const path = "/mnt/data";

const { machines: all } = await machines(["server", "etcd", "a", "b"]);
const server = kind === "cifs" ? new Cifs(all.server) : new Nfs(all.server);
for (const machine of [all.a, all.b])
  if (server instanceof Cifs) server.mount(machine, path);
  else server.mount(machine, path, kind === "nfs3" ? "3" : "4.2");
const play = new Play();
const options = {
  lock: `etcd://${await scene_etcd(all.etcd)}/leasehold`,
  args: ["--volume", `${path},type=${kind === "cifs" ? "cifs" : "nfs"}`, "--ttl", "24s"],
};

/** On the server, where neither client has a hand in it. */
const there = (script: string): string => all.server.run(`cd "$1"; ${script}`, server.folder);

/** What a start comes to. b has never looked at the volume before the first of them; later its cache may remember. */
async function refused(what: string): Promise<void> {
  const contender = play.start({ on: all.b, ...options });
  const exit = await contender.exited(100_000);
  tell("refused", { what, exit, says: contender.lines().at(-1)?.message });
}

// Empty, and nobody has ever had the lock.
const a = play.start({ on: all.a, ...options });
await play.runs(a);
await play.says(a, /was empty and had no identity: it has got the id/);
a.signal("SIGTERM");
const exit = await a.exited(100_000);
tell("labelled", { exit, id: /"id": *"[0-9a-f-]{36}"/.test(there("cat .leasehold/volume.json")) });

there(
  `cp -a .leasehold /run/kept; sed -i 's/"id": *"[0-9a-f]\\{8\\}/"id":"00000000/' .leasehold/volume.json`,
);
await refused("another");
there("rm -r .leasehold");
await refused("emptied");
there("cp -a /run/kept .leasehold");
const b = play.start({ on: all.b, ...options });
await play.runs(b);
tell("back", { runs: play.contenders.runs(b) });
play.tell_overlap();
tell("story", { story: play.contenders.story() });
scene_end();
