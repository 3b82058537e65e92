// A kernel NFS server on one machine, and mounts of it on others. Only in a scene in User Mode Linux: there is one server, and it
// is the kernel's.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Machine } from "./machines.ts";

export type NfsVersion = "3" | "4.2";

export class Nfs {
  /** What is exported, as the server's machine sees it. */
  readonly folder = "/mnt/export";
  readonly #server: Machine;

  constructor(server: Machine, size = "64M") {
    this.#server = server;
    const folders = ["/run/rpcbind", "/var/lib/nfs/rpc_pipefs", "/var/lib/nfs/v4recovery"];
    for (const path of [this.folder, ...folders]) mkdirSync(path, { recursive: true });
    for (const name of ["etab", "rmtab"]) writeFileSync(join("/var/lib/nfs", name), "");
    // An ext4, because what clients believe depends on its time stamps and change counters.
    server.run(
      `for module in loop nfsd nfs nfsv3 nfsv4; do /run/modprobe $module; done
       truncate --size "$2" /run/exported; mkfs.ext4 -q /run/exported; mount -o loop /run/exported "$1"
       rmdir "$1/lost+found"
       mount -t nfsd nfsd /proc/fs/nfsd
       rpcbind -w
       echo 10 >/proc/fs/nfsd/nfsv4leasetime; echo 10 >/proc/fs/nfsd/nfsv4gracetime`,
      this.folder,
      size,
    );
    this.export();
    server.run("rpc.mountd");
    this.start();
  }

  /** Mounts it there. options: more than the version, such as "soft,timeo=10". */
  mount(on: Machine, path: string, version: NfsVersion, options = ""): void {
    const source = `${this.#server.address}:${version === "3" ? this.folder : "/"}`;
    const all = [`vers=${version}`, ...(version === "3" ? ["nolock"] : []), ...(options ? [options] : [])];
    on.run(`mkdir -p "$3"; mount -t nfs -o "$1" "$2" "$3"`, all.join(","), source, path);
    // NFSv4 lets nobody open anything before its clients of an earlier life had 10 s to come back.
    on.run('echo ready >"$1/ready"; rm "$1/ready"', path);
  }

  /** The server is gone, without a word to its clients; and back. */
  stop(): void {
    this.#server.run("rpc.nfsd 0");
  }
  start(): void {
    this.#server.run("rpc.nfsd 2");
  }

  /** Also when it is exported already: with other options. */
  export(access: "rw" | "ro" = "rw"): void {
    // fsid=0: the root of what NFSv4 shows. Without it that would be this kernel's own root, which can't be exported.
    const options = `${access},fsid=0,no_root_squash,insecure,no_subtree_check`;
    this.#server.run(`exportfs -o "$1" "*:$2"`, options, this.folder);
  }
  /** What clients have open is stale from now on. */
  withdraw(): void {
    this.#server.run(`exportfs -u "*:$1"; exportfs -f`, this.folder);
  }
}
