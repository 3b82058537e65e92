// GlusterFS: one server with one brick, and mounts of it. Only in a scene in namespaces (scene.ts).

import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { scene_address } from "./scene.ts";

export class Gluster {
  constructor() {
    for (const folder of ["/run/gluster", "/var/log/glusterfs", "/mnt/brick"]) mkdirSync(folder);
    spawn("glusterd", ["--no-daemon"], { stdio: "ignore" }).unref();
    const up = "until gluster pool list >/dev/null 2>&1; do sleep 0.2; done";
    execFileSync("timeout", ["60", "sh", "-c", up]);
    // force: the brick lies on a root file system.
    this.#ctl("volume", "create", "data", `${scene_address}:/mnt/brick`, "force");
    this.#ctl("volume", "start", "data");
  }

  mount(path: string, options = ""): void {
    mkdirSync(path);
    const words = options === "" ? [] : ["-o", options];
    const source = `${scene_address}:/data`;
    execFileSync("mount", ["-t", "glusterfs", ...words, source, path], {
      stdio: ["ignore", "ignore", "inherit"],
    });
  }

  /** The brick's process is stopped, as if its machine were frozen; and goes on. */
  stop(): void {
    process.kill(this.#brick, "SIGSTOP");
  }
  resume(): void {
    process.kill(this.#brick, "SIGCONT");
  }

  get #brick(): number {
    return Number(readFileSync(`/run/gluster/vols/data/${scene_address}-mnt-brick.pid`, "utf8"));
  }
  #ctl(...args: string[]): void {
    execFileSync("gluster", ["--mode=script", ...args], { stdio: ["ignore", "ignore", "inherit"] });
  }
}
