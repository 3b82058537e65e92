// leasehold run with a device that comes and goes with the lock: an ext4 on a loop device. test/vm has a network block device.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { read_mounts } from "../../src/storage/probing.ts";
import { type Contender, Contenders } from "../support/contenders.ts";
import { etcd } from "../support/etcd.ts";
import { etcd_url } from "../support/faults-etcd.ts";
import { mounts_folder, sh } from "../support/file-systems.ts";
import { requires } from "../support/requires.ts";

type Scene = {
  contenders: Contenders;
  path: string;
  image: string;
  device: string;
  is_mounted: () => boolean;
  start: (node: string, ...more: string[]) => Contender;
};

async function scene(t: TestContext): Promise<Scene | null> {
  if (!requires(t, "etcd", "etcdctl", "root", "mkfs.ext4")) return null;
  const servers = await etcd(t);
  await servers.ready();
  const folder = mounts_folder(t);
  const [path, image, device] = [join(folder, "v"), join(folder, "image"), join(folder, "device")];
  mkdirSync(path);
  sh('truncate --size 16M "$1"; mkfs.ext4 -q -E root_owner=0:0 "$1"', image);
  const contenders = new Contenders(t);
  const start = (node: string, ...more: string[]): Contender =>
    contenders.start({
      lock: etcd_url("/attach")(servers.members.map(({ port }) => port)),
      node,
      args: [
        ...["--ttl", "4s", "--drain", "200ms", "--volume", `${path},type=ext4,probe=300ms/1s×2`],
        ...["--device", device, "--fstype", "ext4"],
        ...["--attach", `rm -f ${device}; ln -s "$(losetup --find --show ${image})" ${device}`],
        ...["--detach", `losetup -d "$(readlink ${device})"; rm ${device}`],
        ...more,
      ],
    });
  const is_mounted = (): boolean => read_mounts().some(({ point }) => point === path);
  return { contenders, path, image, device, is_mounted, start };
}

test("attached, checked, mounted, labelled under the lock; detached before the release; the next one finds the data", async (t) => {
  const one = await scene(t);
  if (!one) return;
  const { contenders, path, device, is_mounted, start } = one;
  const a = start("a");
  await contenders.holder();
  assert.match(a.story(), /fsck: .*clean/);
  assert.match(a.story(), /was empty and had no identity: it has got the id/);
  const id = readFileSync(join(path, ".leasehold/volume.json"), "utf8");
  writeFileSync(join(path, "data"), "kept");
  const b = start("b");
  await b.line(/waiting/);
  a.signal("SIGTERM");
  assert.equal(await a.exited(), 143, a.story());
  await contenders.holder(a);
  assert.equal(readFileSync(join(path, "data"), "utf8"), "kept");
  assert.equal(readFileSync(join(path, ".leasehold/volume.json"), "utf8"), id);
  assert.equal(contenders.overlap_ms(), 0);
  b.signal("SIGTERM");
  assert.equal(await b.exited(), 143, b.story());
  assert.ok(!is_mounted() && !existsSync(device));
});

test("a file system that fsck refuses is not mounted: 74, the device is given back, and the lock", async (t) => {
  const one = await scene(t);
  if (!one) return;
  const { contenders, image, device, is_mounted, start } = one;
  sh('debugfs -w -R "sif <2> mode 0100644" "$1" 2>&-; debugfs -w -R "ssv state 2" "$1" 2>&-', image);
  const a = start("a");
  assert.equal(await a.exited(), 74, a.story());
  assert.match(
    a.story(),
    /the volume could not be attached: fsck: it left errors that it may not correct by itself \(code 4\)/,
  );
  assert.ok(!is_mounted() && !existsSync(device));
  assert.deepEqual(contenders.lives(), []);
});

test("all of a holder is killed: the lock waits for its lease's end, and what it had mounted here is taken away first", async (t) => {
  const one = await scene(t);
  if (!one) return;
  const { contenders, is_mounted, start } = one;
  const a = start("a");
  await contenders.holder();
  a.vanish();
  await a.exited();
  assert.ok(is_mounted(), "nobody was there to unmount it");
  const b = start("b", "--fence", "true");
  await contenders.holder(a);
  assert.match(b.story(), /unmount: something is mounted at .*\/v already, it is taken away first/);
  assert.equal(contenders.overlap_ms(), 0);
  b.signal("SIGTERM");
  assert.equal(await b.exited(), 143, b.story());
  assert.ok(!is_mounted());
});
