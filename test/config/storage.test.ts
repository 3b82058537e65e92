// The options about storage together: what follows from what, and what has no meaning beside what.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type Flags, load_config, load_settings } from "../../src/config/load.ts";
import { show } from "../../src/config/show.ts";
import { refusal } from "./refusal.ts";

const lock = "zk://h/a";
const load = (flags: Flags, environment = {}) => load_config({ lock, node: "n-1", ...flags }, environment);

test("with a volume the volume lease is on and the drain is a second", async () => {
  const { volumes, volume_lease, on_outage, timing } = await load({ volume: ["/data"] });
  assert.deepEqual(
    [volumes[0]?.path, volume_lease, on_outage, timing.drain_ms],
    ["/data", true, "stop", 1000],
  );
  assert.equal((await load({ volume: ["/data"], drain: "0" })).timing.drain_ms, 0);
});

test("several volumes: several flags, ; in the variable, a list in the file", async (t) => {
  const paths = async (flags: Flags, environment = {}): Promise<string[]> =>
    (await load(flags, environment)).volumes.map(({ path }) => path);
  assert.deepEqual(await paths({ volume: ["/a", "/b,type=nfs"] }), ["/a", "/b"]);
  assert.deepEqual(await paths({}, { LEASEHOLD_VOLUME: "/a,type=nfs;/b\\;c" }), ["/a", "/b;c"]);
  const folder = mkdtempSync(join(tmpdir(), "leasehold-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const config = join(folder, "l.yaml");
  writeFileSync(config, "volume:\n  - /a\n  - /{node},type=nfs\n");
  assert.deepEqual(await paths({ config }), ["/a", "/n-1"]);
  writeFileSync(config, "volume: /a\n");
  assert.deepEqual(await paths({ config }), ["/a"]);
  assert.deepEqual(await paths({ config, volume: ["/b"] }), ["/b"]);
});

test("the volume of a file: lock is required, and the first", async () => {
  const file = { lock: "file:///data" };
  assert.deepEqual(
    (await load(file)).volumes.map(({ path }) => path),
    ["/data"],
  );
  const { volumes, volume_lease } = await load({ ...file, volume: ["/other", "/data,type=nfs"] });
  assert.deepEqual(
    volumes.map(({ path, types }) => [path, ...types]),
    [["/data", "nfs"], ["/other"]],
  );
  assert.equal(volume_lease, true);
});

test("device and fstype make the attach built in, and the volume lease off", async () => {
  const { attach, volume_lease } = await load({
    volume: ["/data"],
    device: "/dev/nbd{slot}",
    fstype: "ext4",
    attach: "nbd-client …",
    detach: "nbd-client -d …",
  });
  assert.equal(volume_lease, false);
  assert.deepEqual(attach, {
    path: "/data",
    built_in: { device: "/dev/nbd1", fstype: "ext4", options: null },
    attach: ["/bin/sh", "-c", "nbd-client …"],
    fsck: null,
    mount: null,
    unmount: null,
    detach: ["/bin/sh", "-c", "nbd-client -d …"],
    step_timeout_ms: 60_000,
    fsck_timeout_ms: 3_600_000,
  });
});

const device = { volume: ["/data"], device: "/dev/sdb", fstype: "ext4" };
const bad: readonly (readonly [flags: Flags, sentence: RegExp])[] = [
  [
    { "on-outage": "hold" },
    /^78 --on-outage hold goes by the volume lease, and there is no volume; give --volume$/,
  ],
  [
    { volume: ["/a"], "volume-lease": "off", "on-outage": "hold" },
    /and the volume lease is off; give --volume-lease on$/,
  ],
  [{ ...device, "on-outage": "hold" }, /an attached volume has none; leave it out$/],
  [{ lock: "file:///a", "on-outage": "hold" }, /has no meaning for a file: lock/],
  [{ lock: "file:///a", "volume-lease": "off" }, /a file: lock is one; leave --volume-lease out/],
  [{ lock: "file:///a/b", volume: ["/a"] }, /"\/a\/b" lies below "\/a"/],
  [{ "volume-lease": "on" }, /^78 --volume-lease is on, but there is no volume; give --volume, or/],
  [
    { ...device, "volume-lease": "on" },
    /--volume-lease is on, and the volume comes only with the lock; leave --volume-lease out$/,
  ],
  [
    { ...device, lock: "file:///data" },
    /a file: lock lies on its volume, and that comes only with the lock; /,
  ],
  [{ "volume-lease": "of" }, /none of on, off; did you mean on\?$/],
  [{ ...device, volume: [] }, /^78 --volume is empty/],
  [
    { device: "/dev/sdb", fstype: "ext4" },
    /^78 --device is given, but no volume; give --volume PATH, where it is mounted$/,
  ],
  [
    { volume: ["/a"], device: "/dev/sdb" },
    /^78 --device is given without --fstype; give --fstype, or leave --device out$/,
  ],
  [{ volume: ["/a"], fstype: "ext4" }, /--fstype is given without --device/],
  [{ volume: ["/a"], mount: "m", "mount-options": "ro" }, /--mount-options is given without --device/],
  [{ volume: ["/a"], detach: "d" }, /--detach is given without --attach/],
  [{ volume: ["/a"], fsck: "f" }, /--fsck is given without --mount/],
  [{ volume: ["/a"], unmount: "u" }, /--unmount is given without --attach/],
  [
    { ...device, device: "nbd0" },
    /^78 --device is "nbd0", which is no path from \/ on; write e\.g\. \/dev\/nbd0$/,
  ],
  [{ ...device, fstype: "ext4,xfs" }, /--fstype is "ext4,xfs"; write e\.g\. ext4$/],
];
for (const [flags, sentence] of bad) {
  test(`${JSON.stringify(flags)} is refused`, async () =>
    assert.match(await refusal(() => load(flags)), sentence));
}

test("what show prints is read as the same again", async (t) => {
  const settings = await load_settings(
    {
      node: "db-1",
      volume: ["/data,type=nfs+nfs4,source=a\\,b:/{node},min-free=1GB", "/b;c"],
      device: "/dev/\\{x\\}{slot}",
      fstype: "ext4",
      attach: "a",
      "fsck-timeout": "2h",
    },
    {},
  );
  const folder = mkdtempSync(join(tmpdir(), "leasehold-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const config = join(folder, "l.yaml");
  writeFileSync(config, show(settings));
  const again = await load_settings({ config }, {});
  const { volumes, volume_lease, on_outage, attach, timing } = settings;
  const { volumes: v, volume_lease: l, on_outage: o, attach: a, timing: d } = again;
  assert.deepEqual([v, l, o, a, d], [volumes, volume_lease, on_outage, attach, timing]);
});
