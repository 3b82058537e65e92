// examples/attach-nbd as it is, two contenders on two machines; then the first one is taken away: attach-nbd FAULT

import { setTimeout as sleep } from "node:timers/promises";
import { stamper } from "../../support/contenders.ts";
import { Nbd } from "../../support/nbd.ts";
import { scene_end, tell } from "../../support/scene.ts";
import { Play, scene_etcd } from "../../support/volume-scene.ts";

const [, , fault = ""] = process.argv;
const devices = { a: "/dev/nbd0", b: "/dev/nbd1" };

await scene_etcd();
const nbd = new Nbd();
const machines = { a: await nbd.machine("a", devices.a), b: await nbd.machine("b", devices.b) };
nbd.make(machines.a, devices.a);
nbd.soil();

const play = new Play();
const script =
  'mkdir -p "$0/data"; echo "$LEASEHOLD_NODE" >>"$0/data/nodes"; sync "$0/data/nodes"; exec "$@"';
const options = {
  lock: nbd.lock,
  args: ["--config", "/etc/leasehold/leasehold.yaml"],
  app: ["sh", "-c", script, nbd.path, stamper, play.contenders.folder],
  stamps: true,
};
const a = play.start({ on: machines.a, ...options });
await play.runs(a);
await play.says(a, /fsck: .*ref count is 3, should be 1\. +FIXED/);
const b = play.start({ on: machines.b, ...options });
await play.says(b, /held by/);
await sleep(3000);

switch (fault) {
  case "stopped":
    play.fault(() => a.signal("SIGTERM"));
    await play.tell_end(a);
    break;
  case "controller-killed":
    play.fault(() => a.signal("SIGKILL", a.controller));
    await play.tell_end(a);
    break;
  case "app-killed":
    play.fault(() => a.signal("SIGKILL", a.app));
    await play.tell_end(a);
    break;
  case "vanished": // but its kernel lives on, with the device
    play.fault(() => a.vanish());
    break;
  default:
    throw new Error(`${fault} is no fault here`);
}
if (fault !== "vanished") tell("left", nbd.left(machines.a, devices.a));
await play.tell_next(b);
if (fault === "vanished") tell("left", nbd.left(machines.a, devices.a));
tell("data", {
  nodes: machines.b.run('cat "$1/data/nodes"', nbd.path).trim().split("\n"),
  file: machines.b.run('cat "$1/file"', nbd.path).trim(),
});
play.tell_overlap();
tell("story", { story: play.contenders.story() });
scene_end();
