// How old views through a second mount are: ages KIND quick|quiet [mount options]

import { Cifs } from "../../support/cifs.ts";
import { Gluster } from "../../support/gluster.ts";
import { machines } from "../../support/machines.ts";
import { Moosefs } from "../../support/moosefs.ts";
import { Nfs } from "../../support/nfs.ts";
import { scene_end, tell } from "../../support/scene.ts";
import { view_ages } from "../../support/view-age.ts";

const [, , kind = "", extent = "", options = ""] = process.argv;

/** Two mounts, as of two machines, which share no cache. */
async function mounts(): Promise<[string, string]> {
  if (kind === "glusterfs" || kind === "moosefs") {
    const server = kind === "glusterfs" ? new Gluster() : new Moosefs();
    for (const path of ["/mnt/a", "/mnt/b"]) server.mount(path, options);
    return ["/mnt/a", "/mnt/b"];
  }
  const path = "/mnt/data";
  const { server: host, a, b } = (await machines(["server", "a", "b"])).machines;
  if (kind === "cifs") {
    const server = new Cifs(host);
    for (const machine of [a, b]) server.mount(machine, path, options);
  } else {
    const server = new Nfs(host);
    for (const machine of [a, b]) server.mount(machine, path, kind === "nfs3" ? "3" : "4.2", options);
  }
  return [a.root + path, b.root + path];
}

const [a, b] = await mounts();
const pace =
  extent === "quick"
    ? { change_ms: 700, look_ms: 200, lasts_ms: 6000 }
    : { change_ms: 20_000, look_ms: 500, lasts_ms: 130_000 };
tell("ages", { kind, options, ...(await view_ages(a, b, pace)) });
scene_end();
