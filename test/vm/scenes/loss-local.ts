// One contender whose volume breaks, with HTTP asked all the time: loss-local ext4|bindfs|glusterfs|moosefs FAULT

import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Gluster } from "../../support/gluster.ts";
import { HttpPoll } from "../../support/http-poll.ts";
import { Moosefs } from "../../support/moosefs.ts";
import { all_processes } from "../../support/processes.ts";
import { scene_end, tell } from "../../support/scene.ts";
import { Play, scene_etcd } from "../../support/volume-scene.ts";

const [, , kind = "", fault = ""] = process.argv;
const path = "/mnt/data";

/** What hangs when its daemon stops; what goes on. */
type Mounted = { stop: () => void; resume: () => void };

function mounted(): Mounted {
  switch (kind) {
    case "ext4": {
      // Few inodes, and blocks that are kept for nobody.
      sh(
        "truncate --size 32M /run/image; mkfs.ext4 -q -N 64 -m 0 /run/image; mkdir $0; mount -o loop,errors=remount-ro /run/image $0",
      );
      return { stop() {}, resume() {} };
    }
    case "bindfs": {
      mkdirSync("/mnt/below");
      sh("mkdir $0; bindfs /mnt/below $0");
      const daemon = all_processes().find(({ comm }) => comm === "bindfs")?.pid ?? 0;
      return { stop: () => process.kill(daemon, "SIGSTOP"), resume: () => process.kill(daemon, "SIGCONT") };
    }
    case "glusterfs": {
      const server = new Gluster();
      server.mount(path);
      return { stop: () => server.stop(), resume: () => server.resume() };
    }
    case "moosefs": {
      const server = new Moosefs();
      server.mount(path);
      const which = fault === "chunks-stopped" ? server.chunks : server.master;
      return { stop: () => which.kill("SIGSTOP"), resume: () => which.kill("SIGCONT") };
    }
    default:
      throw new Error(`${kind} is no kind of storage here`);
  }
}

function sh(script: string): void {
  execFileSync("sh", ["-ec", script, path], { stdio: ["ignore", "inherit", "inherit"] });
}

const volume = mounted();
const lock = `etcd://${await scene_etcd()}/leasehold`;
const play = new Play();
const args = ["--volume", `${path},type=${kind === "bindfs" ? "fuse" : kind},probe=1s/1s×2`];
const a = play.start({ lock, args: [...args, "--ttl", "20s", "--listen", "8080"] });
await play.runs(a);
const poll = new HttpPoll("http://127.0.0.1:8080/status", 10);
await sleep(3000);

switch (fault) {
  case "full":
    play.fault(() =>
      sh("for size in 64k 1k; do dd if=/dev/zero of=$0/filler-$size bs=$size 2>/dev/null || :; done"),
    );
    break;
  case "inodes":
    play.fault(() => sh("i=0; while touch $0/filler-$i 2>/dev/null; do i=$((i+1)); done"));
    break;
  case "ext4-error": // as a broken disk would have it
    play.fault(() => sh("echo x >/sys/fs/ext4/$(basename $(findmnt -no SOURCE $0))/trigger_fs_error"));
    break;
  case "remounted":
    play.fault(() => sh("mount -o remount,ro $0"));
    break;
  case "unmounted":
    play.fault(() => sh("umount $0"));
    break;
  case "lazily":
    play.fault(() => sh("umount --lazy $0"));
    break;
  case "stopped":
  case "chunks-stopped":
    play.fault(volume.stop);
    break;
  default:
    throw new Error(`${fault} is no fault here`);
}
await play.tell_dead(a);
tell("http", await poll.end());
volume.resume();
await play.tell_end(a);
tell("story", { story: play.contenders.story() });
scene_end();
