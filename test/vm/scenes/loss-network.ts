// Two contenders on two machines, a volume of a third, an etcd on a fourth; then something breaks:
// loss-network nfs3|nfs4.2|cifs FAULT [etcd|file] [stop|hold]

import { setTimeout as sleep } from "node:timers/promises";
import { Cifs } from "../../support/cifs.ts";
import { stamper } from "../../support/contenders.ts";
import { guard } from "../../support/hand.ts";
import { machines } from "../../support/machines.ts";
import { Nfs } from "../../support/nfs.ts";
import { scene_end, tell } from "../../support/scene.ts";
import { Play, scene_etcd } from "../../support/volume-scene.ts";

const [, , kind = "", fault = "", lock = "etcd", outage = "stop"] = process.argv;
const path = "/mnt/data";

const { network, machines: all } = await machines(["server", "etcd", "a", "b"]);
const nfs = kind === "cifs" ? undefined : new Nfs(all.server);
const cifs = kind === "cifs" ? new Cifs(all.server) : undefined;
for (const machine of [all.a, all.b]) {
  nfs?.mount(machine, path, kind === "nfs3" ? "3" : "4.2");
  cifs?.mount(machine, path);
}
const url = lock === "file" ? `file://${path}` : `etcd://${await scene_etcd(all.etcd)}/leasehold`;
// A short outage is one that everything outlasts.
const [ttl, probe] = fault === "short" ? ["60s", "2s/10s×3"] : ["24s", "2s/3s×2"];
all.a.run('"$1" volume init "$2" --ttl "$3" >&2', guard, path, ttl);

const play = new Play();
const type = kind === "cifs" ? "cifs" : "nfs";
const args = ["--volume", `${path},type=${type},probe=${probe}`, "--ttl", ttl];
const options = { lock: url, args: [...args, ...(lock === "file" ? [] : ["--on-outage", outage])] };
const writer = `while :; do echo line; sleep 0.01; done >>${path}/written & exec "$@"`;
const app = fault === "writing" ? { app: ["sh", "-c", writer, "app", stamper, play.contenders.folder] } : {};
const a = play.start({ on: all.a, ...options, ...app, stamps: true });
await play.runs(a);
const b = play.start({ on: all.b, ...options });
await play.says(b, /held by/);

const stop = (): void => (nfs ?? cifs)?.stop();
const back = (): void => (nfs ?? cifs)?.start();
const next = async (): Promise<void> => {
  await play.tell_end(a);
  await play.tell_next(b);
};
switch (fault) {
  case "short": // shorter than the limit
    play.fault(stop);
    await sleep(8000);
    back();
    await sleep(40_000);
    play.tell_kept(a);
    break;
  case "stopped":
    play.fault(stop);
    await play.tell_end(a);
    play.tell_alone();
    back();
    await play.tell_next(b);
    break;
  case "writing": // what it wrote is in this machine's memory, and its server is gone
    play.fault(stop);
    await play.says(a, /can't be killed/);
    await sleep(20_000);
    play.tell_alone();
    back();
    await next();
    break;
  case "withdrawn":
    play.fault(() => nfs?.withdraw());
    await play.tell_end(a);
    nfs?.export();
    await play.tell_next(b);
    break;
  case "read-only":
    play.fault(() => nfs?.export("ro"));
    await play.tell_end(a);
    nfs?.export();
    await play.tell_next(b);
    break;
  case "replaced": // another volume's identity
    play.fault(() =>
      all.server.run(
        `sed -i 's/"id": *"[0-9a-f]\\{8\\}/"id":"00000000/' "$1/.leasehold/volume.json"`,
        (nfs ?? cifs)?.folder ?? "",
      ),
    );
    await play.tell_end(a);
    await play.says(b, /another volume lies there/);
    play.tell_alone();
    break;
  case "cut-server":
    play.fault(() => network.cut("a", "server"));
    await next();
    break;
  case "cut-both":
    play.fault(() => network.cut("a", "server", "etcd"));
    await next();
    break;
  case "cut-etcd":
    play.fault(() => network.cut("a", "etcd"));
    if (outage === "stop") await next();
    else {
      await sleep(60_000);
      play.tell_kept(a);
      network.mend("a", "etcd");
      await sleep(15_000);
      play.tell_kept(a);
    }
    break;
  case "vanished":
    play.fault(() => a.vanish());
    await play.tell_next(b);
    break;
  default:
    throw new Error(`${fault} is no fault here`);
}
network.mend_all();
play.tell_overlap();
tell("story", { story: play.contenders.story() });
scene_end();
