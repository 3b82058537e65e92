import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { is_of_source, is_of_type, kind_of } from "../../src/storage/kinds.ts";
import { type Mount, mount_of, parse_mountinfo } from "../../src/storage/mountinfo.ts";

/** As the kernel writes them; all were seen on real machines. */
const text = `21 1 254:0 / / rw,relatime - ext4 /dev/vda rw,errors=remount-ro
22 21 0:21 / /proc rw,nosuid shared:13 - proc proc rw
30 21 8:17 / /mnt/with\\040blank\\011tab\\134back rw,noatime shared:1 master:2 propagate_from:3 - xfs /dev/sdb1 rw,attr2
31 21 0:40 / /mnt/mfs rw,relatime - fuse mfs\\043192.168.7.1:9421 rw,user_id=0,allow_other
32 21 0:41 / /mnt/gl rw,relatime - fuse.glusterfs gl1,gl2:/vol rw
33 21 0:42 /exports/db /mnt/nfs rw,relatime shared:9 - nfs4 nas1:/exports rw,vers=4.2,hard
34 21 0:43 / /mnt/cifs rw - cifs //nas/share rw,vers=3.0,actimeo=1
35 21 254:0 /srv/data /data rw,relatime - ext4 /dev/vda rw
36 35 0:44 / /data rw - tmpfs tmpfs rw
37 21 0:45 / /a/b rw - tmpfs lower rw
38 21 0:46 / /a rw - tmpfs upper rw
39 21 0:47 / /empty rw - tmpfs  rw
`;
const mounts = parse_mountinfo(text);
const at = (path: string): number | undefined => mount_of(mounts, path)?.id;

test("every field, with escapes and optional fields", () => {
  assert.equal(mounts.length, 12);
  assert.deepEqual(mounts[2], {
    id: 30,
    parent: 21,
    dev: "8:17",
    root: "/",
    point: "/mnt/with blank\ttab\\back",
    options: ["rw", "noatime"],
    type: "xfs",
    source: "/dev/sdb1",
    super_options: ["rw", "attr2"],
  });
  assert.equal(mounts[3]?.source, "mfs#192.168.7.1:9421");
  assert.equal(mounts[5]?.root, "/exports/db");
  assert.deepEqual([mounts[11]?.source, mounts[11]?.super_options], ["", ["rw"]]);
});

test("the mount that a path leads into: its own, the one above it, the last of several, and none that is covered", () => {
  assert.equal(at("/"), 21);
  assert.equal(at("/mnt/nfs"), 33);
  assert.equal(at("/mnt/nfs/mysql/data"), 33);
  assert.equal(at("/mnt/nfs2"), 21);
  assert.equal(at("/data"), 36, "two at one point: the last one");
  assert.equal(at("/data/x"), 36);
  assert.equal(at("/a/b"), 38, "/a was mounted over the mount /a/b");
  assert.equal(at("/mnt/with blank\ttab\\back/x"), 30);
});

test("in a chroot there may be no root, and then a path may lie on none", () => {
  const some = parse_mountinfo("36 35 98:0 / /mnt rw - ext3 /dev/root rw\n");
  assert.equal(mount_of(some, "/data"), undefined);
  assert.equal(mount_of(some, "/mnt/x")?.id, 36);
  assert.equal(mount_of([], "/"), undefined);
});

test("what is no line of it is left out, and nothing throws", () => {
  assert.deepEqual(parse_mountinfo("\n\nnonsense\n1 2 3 4 5 6 7\nx 1 8:1 / / rw - ext4 a rw\n- - -\n"), []);
  fc.assert(fc.property(fc.string(), (any) => assert.ok(Array.isArray(parse_mountinfo(any)))));
  fc.assert(
    fc.property(fc.nat(text.length), (n) => {
      for (const { point, type } of parse_mountinfo(text.slice(0, n)))
        assert.ok(point.startsWith("/") && type.length >= 0);
    }),
  );
});

test("any names come through the kernel's escapes", () => {
  const name = fc.stringMatching(/^[^\0/]{1,20}$/);
  const escape = (part: string): string =>
    part.replace(/[ \t\n\\#]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, "0")}`);
  fc.assert(
    fc.property(name, name, fc.array(fc.stringMatching(/^[a-z]{1,8}:\d+$/)), (point, source, optional) => {
      const line = [
        "40 21 0:1 /",
        `/${escape(point)}`,
        "rw",
        ...optional,
        "-",
        "fuse",
        escape(source),
        "rw",
      ].join(" ");
      const [mount] = parse_mountinfo(`${line}\n`);
      assert.deepEqual([mount?.point, mount?.source], [`/${point}`, source]);
    }),
  );
});

const named = (type: string, source = "", options: string[] = []): Mount => ({
  id: 1,
  parent: 0,
  dev: "0:1",
  root: "/",
  point: "/x",
  options: ["rw"],
  type,
  source,
  super_options: options,
});

test("kinds: local or network, and how old a view may be", () => {
  const kinds: readonly (readonly [Mount, string, boolean, number | null])[] = [
    [named("ext4"), "ext4", false, 0],
    [named("tmpfs"), "tmpfs", false, 0],
    [named("nfs"), "nfs", true, 1000],
    [named("nfs4"), "nfs", true, 1000],
    [named("nfs", "", ["nocto"]), "nfs", true, null],
    [named("cifs", "", ["actimeo=1"]), "cifs", true, 2000],
    [named("cifs", "", ["acregmax=1", "acdirmax=30"]), "cifs", true, null],
    [named("fuse.glusterfs"), "glusterfs", true, 2000],
    [named("fuse", "mfs#10.0.0.1:9421"), "moosefs", true, 2000],
    [named("fuse", "/somewhere"), "fuse", true, null],
    [named("ceph"), "ceph", true, null],
  ];
  for (const [mount, name, network, view_age_ms] of kinds)
    assert.deepEqual(kind_of(mount), { name, network, view_age_ms });
});

test("types are the mount's own or the kind's, sources are patterns", () => {
  assert.ok(is_of_type(named("nfs4"), ["nfs"]));
  assert.ok(!is_of_type(named("nfs"), ["nfs4"]));
  assert.ok(is_of_type(named("fuse", "mfs#a"), ["moosefs"]) && is_of_type(named("fuse", "mfs#a"), ["fuse"]));
  assert.ok(is_of_type(named("xfs"), []));
  const nas = named("nfs4", "nas1:/export/a.b");
  for (const pattern of ["nas1:/export/a.b", "nas?:*".replace("?", "1"), "*", "nas1:*b", "*:/export/*"])
    assert.ok(is_of_source(nas, pattern), pattern);
  for (const pattern of ["nas1:/export/aXb", "nas2:*", "", "nas1:/export/a.b.c", "as1:/export/a.b"])
    assert.ok(!is_of_source(nas, pattern), pattern);
});
