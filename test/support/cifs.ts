// Samba on one machine, and mounts of it on others. Only in a scene in User Mode Linux, whose kernel has the client.

import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import type { Machine } from "./machines.ts";

const state = "/run/samba";
const configuration = (share: string): string => `[global]
server role = standalone server
passdb backend = smbpasswd:${state}/smbpasswd
private dir = ${state}
state directory = ${state}
cache directory = ${state}
lock directory = ${state}
pid directory = ${state}
ncalrpc dir = ${state}/ncalrpc
log file = ${state}/log
disable netbios = yes
smb ports = 445
load printers = no
disable spoolss = yes
[share]
path = ${share}
read only = no
`;

export class Cifs {
  /** What is shared, as the server's machine sees it. */
  readonly folder = "/mnt/share";
  readonly #server: Machine;
  readonly #conf = `${state}/smb.conf`;
  #daemon: ChildProcess | undefined;

  constructor(server: Machine) {
    this.#server = server;
    for (const path of [state, this.folder]) mkdirSync(path, { recursive: true });
    writeFileSync(this.#conf, configuration(this.folder));
    execFileSync("smbpasswd", ["-c", this.#conf, "-s", "-a", "root"], { input: "secret\nsecret\n" });
    execFileSync("/run/modprobe", ["cifs"]);
    this.start();
  }

  /** Mounts it there. options: such as "actimeo=30". */
  mount(on: Machine, path: string, options = ""): void {
    const all = ["username=root", "password=secret", ...(options ? [options] : [])].join(",");
    on.run(`mkdir -p "$3"; mount -t cifs -o "$1" "$2" "$3"`, all, `//${this.#server.address}/share`, path);
  }

  /** The server and all that it has forked are gone, by SIGKILL; and back. */
  stop(): void {
    if (this.#daemon?.pid !== undefined) process.kill(-this.#daemon.pid, "SIGKILL");
  }
  start(): void {
    const [program = "", ...args] = this.#server.exec;
    // In a group of its own, which its children stay in.
    const command = [...args, "smbd", "--foreground", "--no-process-group", "-s", this.#conf];
    this.#daemon = spawn(program, command, { stdio: ["ignore", "ignore", "inherit"], detached: true });
    this.#daemon.unref();
    this.#server.listening(445);
  }
}
