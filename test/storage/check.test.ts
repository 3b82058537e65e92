// The checks on real file systems: ext4 on a loop device, tmpfs, bindfs. Faults are real ones, too.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { run_probe } from "../../src/guard/probe.ts";
import { plain_volume, type VolumeRequirement } from "../../src/config/volume.ts";
import { check_volume } from "../../src/storage/check.ts";
import {
  encode_identity,
  type Identity,
  identity_file,
  leasehold_folder,
} from "../../src/storage/identity.ts";
import { label_volume } from "../../src/storage/label.ts";
import { read_mounts } from "../../src/storage/probing.ts";
import type { VolumeReport } from "../../src/storage/report.ts";
import { guard } from "../support/hand.ts";
import { requires } from "../support/requires.ts";
import { bindfs, boot_time, ext4, mounts_folder, sh, tmpfs } from "../support/file-systems.ts";

const time = boot_time();
const job = { guard };

type Change = Partial<VolumeRequirement> & {
  expected_id?: string | null;
  at?: "start" | "run";
  last?: VolumeReport;
};
function check(path: string, change: Change = {}): Promise<VolumeReport> {
  const { expected_id = null, at = "start", last, ...requirement } = change;
  return check_volume(
    { ...plain_volume(path), ...requirement },
    { expected_id, at, instance: randomUUID(), time, job, last },
  );
}

async function label(path: string, fields: Partial<Identity> = {}): Promise<string> {
  const id = randomUUID();
  const identity = { id, label: null, created: new Date(0).toISOString(), tv_ms: 30_000, directory: false };
  const labelled = await label_volume(path, { ...identity, ...fields }, { time, limit_ms: 10_000, job });
  assert.equal(labelled.how, "labelled");
  return fields.id ?? id;
}

const said = async (path: string, change: Change = {}): Promise<string> => {
  const { verdict, because } = await check(path, change);
  assert.ok(!because.includes("\n"));
  return `${verdict}: ${because}`;
};

test("a labelled volume works; its id, kind, space and mount are known, and no file is left behind", async (t) => {
  if (!requires(t, "root", "mkfs.ext4")) return;
  const path = ext4(mounts_folder(t), "v");
  const id = await label(path);
  const report = await check(path, { types: ["ext4"], source: "/dev/loop*", options: ["rw"], id });
  assert.equal(report.verdict, "ok", report.because);
  assert.deepEqual(
    [report.id, report.empty, report.kind?.view_age_ms, report.mount?.point],
    [id, true, 0, path],
  );
  assert.ok((report.free_bytes ?? 0) > 1e6 && (report.free_bytes ?? 0) < 16e6);
  assert.deepEqual(readdirSync(join(path, leasehold_folder)).toSorted(), ["0.claim", "volume.json"]);
});

test("an empty volume without identity is unlabelled and empty; one with data says so", async (t) => {
  if (!requires(t, "root", "mkfs.ext4")) return;
  const path = ext4(mounts_folder(t), "v");
  const first = await check(path);
  assert.deepEqual([first.verdict, first.empty, first.id], ["unlabelled", true, null]);
  writeFileSync(join(path, "data"), "x");
  const second = await check(path);
  assert.deepEqual([second.verdict, second.empty], ["unlabelled", false]);
  assert.match(
    second.because,
    /holds data but no identity; make sure that it is the right one, then leasehold volume adopt$/,
  );
});

test("an unmounted directory, another volume, an emptied one, a file in its place: refused", async (t) => {
  if (!requires(t, "root", "mkfs.ext4")) return;
  const folder = mounts_folder(t);
  const path = ext4(folder, "v");
  const id = await label(path);
  const other = await label(tmpfs(folder, "other"));
  assert.match(
    await said(path, { id: other }),
    new RegExp(`^wrong: the volume ".*/v" has the id ${id}, and has to be ${other}; mount the right one$`),
  );
  assert.match(await said(path, { expected_id: other }), /^wrong: .* has the id/);
  assert.match(
    await said(path, { expected_id: other, id }),
    /^ok: /,
    "the user's own id goes before the record's",
  );

  renameSync(join(path, leasehold_folder), join(path, "away"));
  assert.match(
    await said(path, { expected_id: id }),
    /^wrong: .* has no identity, and has to be .*; it is another one, or was emptied/,
  );
  renameSync(join(path, "away"), join(path, leasehold_folder));

  sh('umount "$1"', path);
  assert.match(
    await said(path, { expected_id: id }),
    /^gone: the volume ".*\/v" is only a directory on the container's own file system: nothing is mounted there \(.*\); mount the volume there, or correct the path$/,
  );
  writeFileSync(join(folder, "file"), "");
  assert.match(await said(join(folder, "file")), /^gone: .* is a file, not a directory; name the directory/);
  symlinkSync("nowhere", join(folder, "link"));
  assert.match(
    await said(join(folder, "link")),
    /^gone: .* doesn't exist, or is a link that leads nowhere \(ENOENT\); mount it$/,
  );
  assert.match(await said(join(folder, "none")), /^gone: .* doesn't exist/);
  assert.match(await said(join(folder, "file/x")), /^gone: .* doesn't exist.*\(ENOTDIR\)/);
});

test("a directory that was labelled as one needs no mount, a copied identity doesn't make it one", async (t) => {
  if (!requires(t, "root", "mkfs.ext4")) return;
  const folder = mounts_folder(t);
  const path = join(folder, "plain");
  mkdirSync(path);
  await label(path);
  assert.match(await said(path), /^gone: .* is only a directory/);
  rmSync(join(path, leasehold_folder), { recursive: true });
  const id = await label(path, { directory: true });
  assert.match(await said(path, { id }), /^ok: /);
});

test("a path below a mount point, and one through a link, is on that volume", async (t) => {
  if (!requires(t, "root", "mkfs.ext4")) return;
  const folder = mounts_folder(t);
  const path = ext4(folder, "v");
  mkdirSync(join(path, "mysql"));
  await label(join(path, "mysql"));
  assert.equal((await check(join(path, "mysql"), { types: ["ext4"] })).verdict, "ok");
  symlinkSync(join(path, "mysql"), join(folder, "link"));
  const report = await check(join(folder, "link"), { types: ["ext4"] });
  assert.deepEqual([report.verdict, report.mount?.point], ["ok", path]);
});

test("another type, source or option than required is named with what is there", async (t) => {
  if (!requires(t, "root")) return;
  const path = tmpfs(mounts_folder(t), "v");
  await label(path);
  assert.match(
    await said(path, { types: ["nfs", "nfs4"] }),
    /^wrong: .* is tmpfs from "volume", and its type has to be nfs or nfs4; mount the right one$/,
  );
  assert.match(await said(path, { source: "nas1:*" }), /^wrong: .* and its source has to be "nas1:\*"/);
  assert.match(
    await said(path, { options: ["rw", "noexec"] }),
    /^wrong: .* is mounted without noexec, with rw,relatime; mount it with -o noexec$/,
  );
  assert.match(
    await said(path, { options: ["size=1024k"] }),
    /^ok: /,
    "the file system's own options count, too",
  );
});

const broken: readonly (readonly [name: string, content: string | Buffer, what: RegExp])[] = [
  ["empty", "", /^wrong: .* has an identity that is empty; restore/],
  ["torn", '{"format":1,"id":"6f1c', /is no JSON/],
  ["huge", Buffer.alloc(2_000_000, " "), /is longer than 4096 bytes/],
  ["of a newer leasehold", '{"format":2}', /has format 2, and this leasehold knows 1/],
];
for (const [name, content, what] of broken) {
  test(`an identity that is ${name} is refused`, async (t) => {
    if (!requires(t, "root")) return;
    const path = tmpfs(mounts_folder(t), "v", "size=4m");
    mkdirSync(join(path, leasehold_folder));
    writeFileSync(join(path, identity_file), content);
    assert.match(await said(path), what);
  });
}

test("an identity that is a pipe, a link or a directory, or may not be read, is refused without waiting", async (t) => {
  if (!requires(t, "root", "setpriv")) return;
  const path = tmpfs(mounts_folder(t), "v");
  const file = join(path, identity_file);
  mkdirSync(join(path, leasehold_folder));
  sh('mkfifo "$1"', file);
  assert.match(await said(path), /^wrong: .* has an identity that is empty/);
  rmSync(file);
  symlinkSync("/etc/passwd", file);
  assert.match(await said(path), /^gone: .* failed in reading its identity \(open: ELOOP\)/);
  rmSync(file);
  mkdirSync(file);
  assert.match(await said(path), /^gone: .* failed in reading its identity \(read: EISDIR\)/);
});

test("a copy of the volume beside the original is refused, a second mount of the same place is none", async (t) => {
  if (!requires(t, "root", "mkfs.ext4")) return;
  const folder = mounts_folder(t);
  const [path, copy] = [ext4(folder, "v"), join(folder, "copy")];
  await label(path);
  mkdirSync(copy);
  sh('mount --bind "$1" "$2"', path, copy);
  assert.match(await said(path), /^ok: /);
  const last = await check(path);
  sh('umount "$2"; sync; cp "$1.image" "$2.image"; mount -o loop "$2.image" "$2"', path, copy);
  assert.match(await said(path, { last }), /^wrong: /);
  // Among the same mounts it isn't looked for again: one of them may hang.
  const same = { ...last, no_copy_among: JSON.stringify(read_mounts()) };
  assert.match(await said(path, { last: same }), /^ok: /);
  assert.match(
    await said(path),
    /^wrong: the volume ".*\/v" has the same id as the one mounted at ".*\/copy" from "\/dev\/loop\d+": one is a copy of the other; unmount the copy, or/,
  );
});

test("PostgreSQL's data at the mount point is refused before the start", async (t) => {
  if (!requires(t, "root")) return;
  const path = tmpfs(mounts_folder(t), "v");
  await label(path);
  writeFileSync(join(path, "PG_VERSION"), "15\n");
  assert.match(
    await said(path),
    /^wrong: .* has PostgreSQL's data directly at the mount point.*; move it into a directory on the volume and give PGDATA that$/,
  );
});

test("too little space: at the start a refusal, while the app runs a remark", async (t) => {
  if (!requires(t, "root")) return;
  const path = tmpfs(mounts_folder(t), "v");
  await label(path);
  assert.match(
    await said(path, { min_free_bytes: 1e9 }),
    /^full: .* has 1\.0\d MB free, and min-free is 1 GB; make room, or lower min-free$/,
  );
  assert.match(await said(path, { min_free_bytes: 1e9, at: "run" }), /^ok: .* works, but has 1\.0\d MB free/);
});

test("a full file system, and one out of inodes, are full", async (t) => {
  if (!requires(t, "root", "mkfs.ext4")) return;
  const folder = mounts_folder(t);
  const full = ext4(folder, "full", 8, "-m", "0");
  await label(full);
  sh(
    'dd if=/dev/zero of="$1/fill" bs=64k 2>&- || true; dd if=/dev/zero of="$1/rest" bs=1k 2>&- || true; sync',
    full,
  );
  assert.match(
    await said(full),
    /^full: .* has no space or no inode left \((write|open|fsync): ENOSPC\); make room$/,
  );
  const inodes = ext4(folder, "inodes", 8, "-N", "32");
  await label(inodes);
  sh('i=0; while touch "$1/$i" 2>&-; do i=$((i+1)); done', inodes);
  assert.match(await said(inodes), /^full: .* \(open: ENOSPC\)/);
});

test("remounted read-only, and read-only since an ext4 error, are read-only", async (t) => {
  if (!requires(t, "root", "mkfs.ext4")) return;
  const folder = mounts_folder(t);
  const path = ext4(folder, "v", 16, "-E", "root_owner=0:0");
  await label(path);
  sh('mount -o remount,ro "$1"', path);
  assert.match(
    await said(path),
    /^read-only: .* takes no writes \(open: EROFS\); look into the kernel's log/,
  );
  sh('mount -o remount,rw,errors=remount-ro "$1"', path);
  assert.match(await said(path), /^ok: /);
  const { source = "" } = (await check(path)).mount ?? {};
  const [, loop = ""] = /^\/dev\/(loop\d+)$/.exec(source) ?? [];
  // The kernel's own way to provoke one: it treats this as damage that it has found.
  writeFileSync(`/sys/fs/ext4/${loop}/trigger_fs_error`, "a test of leasehold\n");
  assert.match(await said(path), /^read-only: /);
});

test("an ext4 error in the middle of a check is never told as content that came back wrong", async (t) => {
  if (!requires(t, "root", "mkfs.ext4")) return;
  const folder = mounts_folder(t);
  // What was written is dropped only if the error comes between a file's opening and its sync: hence the rounds.
  const content = Buffer.alloc(32_768, "x");
  for (let round = 0; round < 20; round++) {
    const path = ext4(folder, `v${round}`);
    sh('mount -o remount,errors=remount-ro "$1"', path);
    const loop = sh('findmnt -no SOURCE "$1"', path).trim().replace("/dev/", "");
    const operations = Array.from({ length: 200 }, (_, at) => ({
      do: "check" as const,
      path: join(path, `${at}`),
      content,
    }));
    const deadline_ns = time.now_ns() + 60_000_000_000n;
    const seen = { end: false };
    const checks = run_probe(operations, { deadline_ns, now_ns: () => time.now_ns(), guard });
    void checks.finally(() => (seen.end = true));
    while (!seen.end && !readdirSync(path).includes("20")) await setTimeout(1);
    writeFileSync(`/sys/fs/ext4/${loop}/trigger_fs_error`, "a test of leasehold\n");
    const { results } = await checks;
    const { error } = results.at(-1) ?? {};
    assert.ok(error === "EROFS" || error === "EIO", `${error} after ${results.length} checks`);
  }
});

test("a directory that this user may not write is read-only, one that it may not read is refused", async (t) => {
  if (!requires(t, "root", "setpriv")) return;
  const path = tmpfs(mounts_folder(t), "v", "size=1m,mode=755");
  await label(path);
  const script = join(import.meta.dirname, "../fixtures/check.ts");
  const as = (mode: string): string => {
    sh('chmod "$2" "$1"', join(path, leasehold_folder), mode);
    return execFileSync(
      "setpriv",
      ["--reuid=65534", "--regid=65534", "--clear-groups", process.execPath, script, guard, path],
      {
        encoding: "utf8",
      },
    );
  };
  assert.match(
    as("755"),
    /^read-only: .* may not be written by this user \(EACCES\); change its owner or mode/,
  );
  assert.match(as("700"), /^wrong: .* may not be read by this user: .*EACCES\); change its owner or mode/);
});

test("a daemon that is stopped is a hang, one that has ended is gone", async (t) => {
  if (!requires(t, "root", "bindfs")) return;
  const folder = mounts_folder(t);
  const { path, daemon } = await bindfs(t, folder, "v");
  await label(path);
  const probe = { every_ms: 1000, limit_ms: 300, misses: 1 };
  assert.match(await said(path, { probe: { ...probe, limit_ms: 3000 } }), /^ok: /);
  daemon.kill("SIGSTOP");
  const report = await check(path, { probe });
  assert.match(
    report.because,
    /^the volume ".*\/v" gave no answer to (opening|listing|reading|writing) .* within \d+ ms; look at the server of/,
  );
  assert.equal(report.verdict, "hung");
  assert.ok(report.took_ms > probe.limit_ms, `${report.took_ms} ms`);
  daemon.kill("SIGCONT");
  assert.match(await said(path, { probe: { ...probe, limit_ms: 3000 } }), /^ok: /);
  daemon.kill("SIGKILL");
  await new Promise((resolve) => daemon.once("exit", resolve));
  assert.match(
    await said(path),
    /^gone: .* failed in opening it \(open: (ENOTCONN|ECONNABORTED)\); look into the kernel's log/,
  );
});

test("of two who label at one time one wins, and both see the same", async (t) => {
  if (!requires(t, "root")) return;
  const path = tmpfs(mounts_folder(t), "v");
  const identity = (): Identity => ({
    id: randomUUID(),
    label: "a",
    created: new Date(0).toISOString(),
    tv_ms: 1,
    directory: false,
  });
  const options = { time, limit_ms: 10_000, job };
  const all = await Promise.all([1, 2, 3, 4].map(() => label_volume(path, identity(), options)));
  assert.deepEqual(all.map(({ how }) => how).toSorted(), ["found", "found", "found", "labelled"]);
  assert.equal(new Set(all.map((one) => one.how !== "failed" && one.identity.id)).size, 1);
  assert.deepEqual(readdirSync(join(path, leasehold_folder)).toSorted(), ["0.claim", "volume.json"]);
  writeFileSync(join(path, identity_file), encode_identity(identity()).subarray(0, 20));
  assert.match(
    JSON.stringify(await label_volume(path, identity(), options)),
    /"wrong","because":".* has an identity that is no JSON/,
  );
  assert.equal((await label_volume(path, identity(), { ...options, replace: true })).how, "labelled");
});
