// Attach, fsck, mount and back, with real loop devices. test/vm has the network block device.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { AttachPlan } from "../../src/config/attach.ts";
import { Attachment, type StepResult } from "../../src/storage/attach.ts";
import { refusal_of } from "../../src/storage/fsck.ts";
import { Lines } from "../../src/storage/lines.ts";
import { read_mounts } from "../../src/storage/probing.ts";
import { boot_time, mounts_folder, sh } from "../support/file-systems.ts";
import { guard } from "../support/hand.ts";
import { requires } from "../support/requires.ts";

const time = boot_time();

type Scene = {
  path: string;
  image: string;
  device: string;
  lines: string[];
  attach: () => Promise<StepResult>;
  detach: () => Promise<StepResult>;
  /** Another controller's, that knows nothing of this one. */
  another: (change?: Partial<AttachPlan>) => Attachment;
  is_mounted: () => boolean;
};

/** An ext4 in a file; attaching it makes `device` a loop device. */
function scene(t: TestContext, change: Partial<AttachPlan> = {}): Scene {
  const folder = mounts_folder(t);
  const [path, image, device] = [join(folder, "v"), join(folder, "image"), join(folder, "device")];
  mkdirSync(path);
  sh('truncate --size 16M "$1"; mkfs.ext4 -q "$1"', image);
  const plan: AttachPlan = {
    path,
    built_in: { device, fstype: "ext4", options: null },
    attach: ["sh", "-ec", 'ln -s "$(losetup --find --show "$1")" "$2"', "attach", image, device],
    detach: ["sh", "-ec", 'losetup -d "$(readlink "$1")"; rm "$1"', "detach", device],
    fsck: null,
    mount: null,
    unmount: null,
    step_timeout_ms: 20_000,
    fsck_timeout_ms: 60_000,
    ...change,
  };
  const lines: string[] = [];
  const another = (other: Partial<AttachPlan> = {}): Attachment =>
    new Attachment({
      plan: { ...plan, ...other },
      time,
      guard,
      on_line: (step, line) => lines.push(`${step}: ${line}`),
    });
  const attachment = another();
  return {
    ...{ path, image, device, lines, another },
    attach: () => attachment.attach({}),
    detach: () => attachment.detach({}),
    is_mounted: () => read_mounts().some(({ point }) => point === path),
  };
}

const ok: StepResult = { failure: null, alive: false };

test("attach, fsck, mount; unmount, detach: and what the app wrote is there the next time", async (t) => {
  if (!requires(t, "root", "mkfs.ext4")) return;
  const s = scene(t);
  assert.deepEqual(await s.attach(), ok);
  assert.ok(s.is_mounted());
  assert.match(s.lines.join("\n"), /^fsck: .*clean, \d+\/\d+ files.*\nfsck: done after /m);
  writeFileSync(join(s.path, "data"), "kept");
  assert.deepEqual(await s.detach(), ok);
  assert.ok(!s.is_mounted() && !existsSync(s.device));
  assert.deepEqual(await s.detach(), ok, "there is nothing left to take away");
  assert.deepEqual(await s.attach(), ok);
  assert.equal(readFileSync(join(s.path, "data"), "utf8"), "kept");
  assert.deepEqual(await s.detach(), ok);
});

test("damage that is safe to repair is repaired; what isn't is refused, and the device goes again", async (t) => {
  if (!requires(t, "root", "mkfs.ext4")) return;
  const s = scene(t);
  // As after a crash that lost some of the last writes: the free counts are wrong, and it isn't marked clean.
  sh('debugfs -w -R "ssv free_blocks_count 7" "$1" 2>&-; debugfs -w -R "ssv state 0" "$1" 2>&-', s.image);
  assert.deepEqual(await s.attach(), ok);
  assert.ok(s.is_mounted());
  assert.deepEqual(await s.detach(), ok);
  // The root is no directory any more: what to make of it, only a human can say.
  sh('debugfs -w -R "sif <2> mode 0100644" "$1" 2>&-; debugfs -w -R "ssv state 2" "$1" 2>&-', s.image);
  const refused = await s.attach();
  assert.match(
    refused.failure ?? "",
    /^fsck: it left errors that it may not correct by itself \(code 4\); correct them by hand, with nobody using the device; it said: /,
  );
  assert.ok(!s.is_mounted() && !existsSync(s.device), "what was attached is detached");
});

test("a step that fails undoes what was done before it, in reverse", async (t) => {
  if (!requires(t, "root", "mkfs.ext4")) return;
  const s = scene(t, { mount: ["sh", "-c", "echo no such thing; exit 32"] });
  assert.deepEqual(await s.attach(), {
    failure: "mount: it ended with code 32; it said: no such thing",
    alive: false,
  });
  assert.ok(!existsSync(s.device));
  const lying = s.another({ mount: ["true"] });
  assert.match(
    (await lying.attach({})).failure ?? "",
    /^mount: it said that all is well, but nothing is mounted at ".*\/v"$/,
  );
  const missing = s.another({ fsck: ["/nowhere/fsck"] });
  assert.match(
    (await missing.attach({})).failure ?? "",
    /^fsck: \/nowhere\/fsck can't be executed \(errno 2\); install it, or/,
  );
  const stuck = s.another({ mount: ["sleep", "60"], step_timeout_ms: 300 });
  assert.match(
    (await stuck.attach({})).failure ?? "",
    /^mount: it was killed: it took longer than 300 ms, or the lease had ended$/,
  );
  assert.ok(!existsSync(s.device));
  const undoing = s.another({ mount: ["false"], detach: ["sh", "-c", "echo in use; exit 1"] });
  assert.match(
    (await undoing.attach({})).failure ?? "",
    /^mount: it ended with code 1; undoing it failed, too: detach: it ended with code 1; it said: in use$/,
  );
  assert.ok(existsSync(s.device));
});

test("what is in use stays mounted, is tried again, and is a failure when that doesn't end", async (t) => {
  if (!requires(t, "root", "mkfs.ext4")) return;
  const s = scene(t);
  assert.deepEqual(await s.attach(), ok);
  const user = spawn("sleep", ["60"], { cwd: s.path });
  t.after(() => user.kill("SIGKILL"));
  await new Promise((resolve) => user.once("spawn", resolve));
  const failed = await s.detach();
  assert.match(
    failed.failure ?? "",
    /^unmount: it ended with code 32; it said: .*busy.*; ".*\/v" is still mounted$/,
  );
  assert.ok(s.is_mounted() && existsSync(s.device), "nothing is detached below a mount");
  setTimeout(() => user.kill("SIGKILL"), 500);
  assert.deepEqual(await s.detach(), ok);
  assert.ok(!s.is_mounted() && !existsSync(s.device));
});

test("what an earlier run has left mounted is taken away first", async (t) => {
  if (!requires(t, "root", "mkfs.ext4")) return;
  const s = scene(t);
  assert.deepEqual(await s.attach(), ok);
  assert.deepEqual(await s.another().attach({}), ok);
  assert.match(
    s.lines.join("\n"),
    /^unmount: something is mounted at .*\/v already, it is taken away first$/m,
  );
  assert.equal(read_mounts().filter(({ point }) => point === s.path).length, 1);
  assert.deepEqual(await s.another().attach({}), ok);
});

test("commands get the step, the path and the device", async (t) => {
  if (!requires(t, "root", "mkfs.ext4")) return;
  const s = scene(t, {
    attach: ["sh", "-c", "env | grep ^LEASEHOLD_ATTACH_ | sort; exit 3"],
    built_in: { device: "/dev/x", fstype: "xfs", options: null },
  });
  await s.attach();
  assert.deepEqual(s.lines.slice(0, 3), [
    "attach: LEASEHOLD_ATTACH_DEVICE=/dev/x",
    `attach: LEASEHOLD_ATTACH_PATH=${s.path}`,
    "attach: LEASEHOLD_ATTACH_STEP=attach",
  ]);
});

test("fsck's exit codes: 0 and 1 go on, all others are refused with what they mean", () => {
  const codes: readonly (readonly [code: number, sentence: RegExp | null])[] = [
    [0, null],
    [1, null],
    [2, /rebooted before the mount \(code 2\); reboot it$/],
    [3, /rebooted/],
    [4, /left errors that it may not correct/],
    [5, /left errors/],
    [6, /left errors/],
    [8, /could not be carried out/],
    [16, /command line is wrong/],
    [32, /interrupted/],
    [64, /could not be carried out \(code 64\)/],
    [128, /shared library/],
  ];
  for (const [code, sentence] of codes) {
    const refusal = refusal_of(code);
    if (sentence === null) assert.equal(refusal, null);
    else assert.match(refusal ?? "", sentence);
  }
});

test("progress is a line every ten seconds, other lines are told at once, and not without end", () => {
  const told: string[] = [];
  let now_s = 0;
  const lines = new Lines(
    (line) => told.push(line),
    () => BigInt(now_s) * 1_000_000_000n,
  );
  for (; now_s <= 25; now_s++) lines.push(Buffer.from(`1 ${now_s} 50 /dev/nbd0\n`));
  lines.push(Buffer.from("/dev/nbd0: rec"));
  lines.push(Buffer.from("overing journal\r\n\n/dev/nbd0: clean"));
  lines.end();
  assert.deepEqual(told, [
    "pass 1 of 5: 20 % of /dev/nbd0",
    "pass 1 of 5: 40 % of /dev/nbd0",
    "/dev/nbd0: recovering journal",
    "/dev/nbd0: clean",
  ]);
  for (let n = 0; n < 100_000; n++) lines.push(Buffer.from(`${n} noise\n`));
  assert.equal(lines.last, "99999 noise");
  assert.ok(told.length < 100);
});
