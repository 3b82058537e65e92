// An nbd-server with one disk, and machines that attach it as examples/attach-nbd does. Only in a scene in User Mode Linux, whose kernel
// has the client. That takes orders only in the kernel's own network, so here a machine has only its mounts, its name and its boot id.

import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { guard } from "./hand.ts";
import { type Machine, machine } from "./machines.ts";

const examples = join(import.meta.dirname, "../../examples");
const folder = "/run/nbd";

/** As its package has it: a process for each connection, any number of them. */
const configuration = `[generic]
listenaddr = 127.0.0.1
[shop]
exportname = ${folder}/disk
flush = true
`;

export class Nbd {
  readonly disk = `${folder}/disk`;
  /** Of the example, whose names lead here. */
  readonly lock = "etcd://etcd1:2379,etcd2:2379,etcd3:2379/shop";
  readonly path = "/srv/shop";

  constructor() {
    mkdirSync(folder);
    writeFileSync(`${folder}/config`, configuration);
    sh('/run/modprobe nbd; truncate --size 2G "$1/disk"; nbd-server -C "$1/config" -p "$1/pid"', folder);
    // The fence hook's way to the server.
    writeFileSync("/run/bin/ssh", '#!/bin/sh\nshift 5\nexec sh -c "$*"\n', { mode: 0o755 });
  }

  /** With the example in /etc/leasehold. On one kernel each has to take another device. */
  async machine(name: string, device: string): Promise<Machine> {
    const found = await machine(name, "127.0.0.1");
    found.run(install, examples, device);
    return found;
  }

  /** What the example's README does once, by hand. */
  make(on: Machine, device: string): void {
    on.run(
      `cd /etc/leasehold
       ./nbd.sh attach storage1 shop "$1"
       mkfs.ext4 -q "$1" && mount "$1" /srv/shop && "$2" volume init /srv/shop >&2
       echo kept >/srv/shop/file
       umount /srv/shop && ./nbd.sh detach storage1 shop "$1"`,
      device,
      guard,
    );
  }

  /** As a crash leaves it: not unmounted, and with an error that fsck -p repairs. */
  soil(): void {
    for (const request of ["set_inode_field /file links_count 3", "set_super_value state 0"])
      sh('debugfs -w -R "$1" "$2" 2>&-', request, this.disk);
  }

  /** What a machine still has of it. answers: its server does, through the device. */
  left(on: Machine, device: string): { connected: boolean; answers: boolean; mounted: boolean } {
    const yes = (script: string): boolean =>
      on.run(`if ${script} >/dev/null 2>&1; then echo yes; fi`, device) !== "";
    return {
      connected: yes('nbd-client -c "$1"'),
      answers: yes('[ "$(timeout 60 dd "if=$1" bs=512 count=1 iflag=direct | wc -c)" = 512 ]'),
      mounted: yes("mountpoint /srv/shop"),
    };
  }
}

const install = `
etc=/run/etc-$0
cp -a /etc $etc
mkdir $etc/leasehold
cp "$1"/attach-nbd/* "$1"/fencing/*.sh $etc/leasehold
sed -i "s:/dev/nbd0:$2:" $etc/leasehold/leasehold.yaml
echo "127.0.0.1 storage1 etcd1 etcd2 etcd3" >>$etc/hosts
echo "a 127.0.0.1" >$etc/leasehold/nodes
mount --bind $etc /etc
mount -t tmpfs srv /srv
mkdir /srv/shop
cat /proc/sys/kernel/random/uuid >$etc/boot_id
mount --bind $etc/boot_id /proc/sys/kernel/random/boot_id
`;

function sh(script: string, ...args: string[]): void {
  execFileSync("sh", ["-ec", script, "sh", ...args], { stdio: ["ignore", "ignore", "inherit"] });
}
