// MooseFS: a master, a chunk server, and mounts. Only in a scene in namespaces (scene.ts).

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { scene_address } from "./scene.ts";

const folder = "/run/mfs";

export class Moosefs {
  readonly master: ChildProcess;
  readonly chunks: ChildProcess;

  constructor() {
    for (const path of [folder, `${folder}/master`, `${folder}/chunks`, "/mnt/chunks"]) mkdirSync(path);
    // The metadata of an empty file system.
    writeFileSync(`${folder}/master/metadata.mfs`, "MFSM NEW");
    const exports = file("exports.cfg", ["* / rw,alldirs,maproot=0"]);
    const disks = file("disks.cfg", ["/mnt/chunks"]);
    this.master = daemon("mfsmaster", "master", [`EXPORTS_FILENAME = ${exports}`]);
    this.chunks = daemon("mfschunkserver", "chunks", [
      `HDD_CONF_FILENAME = ${disks}`,
      "HDD_LEAVE_SPACE_DEFAULT = 4MiB",
      `MASTER_HOST = ${scene_address}`,
      `BIND_HOST = ${scene_address}`,
      `CSSERV_LISTEN_HOST = ${scene_address}`,
    ]);
  }

  mount(path: string, options = ""): void {
    mkdirSync(path);
    const words = options === "" ? [] : ["-o", options];
    const script = 'until mfsmount "$@" >/dev/null 2>&1; do sleep 0.2; done';
    execFileSync("timeout", ["60", "sh", "-c", script, "mount", path, "-H", scene_address, ...words]);
    // The chunk server may have yet to come; whatever writes until then waits.
    execFileSync("timeout", ["60", "sh", "-ec", 'echo ready >"$0/ready"; sync; rm "$0/ready"', path]);
  }
}

function file(name: string, lines: readonly string[]): string {
  writeFileSync(`${folder}/${name}`, `${lines.join("\n")}\n`);
  return `${folder}/${name}`;
}

function daemon(program: string, name: string, lines: readonly string[]): ChildProcess {
  const common = ["WORKING_USER = root", "WORKING_GROUP = root", `DATA_PATH = ${folder}/${name}`];
  const configuration = file(`${name}.cfg`, [...common, ...lines]);
  const child = spawn(program, ["-f", "-c", configuration, "start"], { stdio: "ignore" });
  child.unref();
  return child;
}
