// How old views through a second mount are: ages KIND[,KIND] quick|quiet [mount options]

import { rmSync } from "node:fs";
import { leasehold_folder } from "../../../src/storage/identity.ts";
import { Cifs } from "../../support/cifs.ts";
import { Gluster } from "../../support/gluster.ts";
import { machines } from "../../support/machines.ts";
import { Moosefs } from "../../support/moosefs.ts";
import { Nfs } from "../../support/nfs.ts";
import { scene_end, tell } from "../../support/scene.ts";
import { view_ages } from "../../support/view-age.ts";

const [, , names = "", extent = "", options = ""] = process.argv;
const kinds = names.split(",");

type Pair = { kind: string; a: string; b: string };

/** Two mounts of each kind, as of two machines, which share no cache. Several kinds: of NFS, on one server. */
async function* mounts(): AsyncGenerator<Pair> {
  const [first = ""] = kinds;
  if (first === "glusterfs" || first === "moosefs") {
    const server = first === "glusterfs" ? new Gluster() : new Moosefs();
    const pair = { kind: first, a: "/mnt/a", b: "/mnt/b" };
    for (const path of [pair.a, pair.b]) server.mount(path, options);
    yield pair;
    return;
  }
  const { server: host, a, b } = (await machines(["server", "a", "b"])).machines;
  const server = first === "cifs" ? new Cifs(host) : new Nfs(host);
  for (const kind of kinds) {
    const path = `/mnt/${kind}`;
    for (const machine of [a, b])
      if (server instanceof Cifs) server.mount(machine, path, options);
      else server.mount(machine, path, kind === "nfs3" ? "3" : "4.2", options);
    yield { kind, a: a.root + path, b: b.root + path };
    rmSync(`${a.root + path}/${leasehold_folder}`, { recursive: true }); // the next kind begins with nothing
  }
}

const pace =
  extent === "quick"
    ? { change_ms: 700, look_ms: 200, lasts_ms: 6000 }
    : { change_ms: 20_000, look_ms: 500, lasts_ms: 130_000 };
for await (const { kind, a, b } of mounts())
  tell("ages", { kind, options, ...(await view_ages(a, b, pace)) });
scene_end();
