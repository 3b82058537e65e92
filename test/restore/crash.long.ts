import { test } from "node:test";
import { requires } from "../support/requires.ts";
import { crash_at_each_step, type Kind } from "./crash.ts";

const times = Number(process.env.LEASEHOLD_CRASH_TIMES ?? 20);

for (const kind of ["ext4", "xfs"] satisfies Kind[])
  for (const at_mount_point of [false, true])
    for (const power_cut of [false, true])
      test(`${kind}, at the mount point: ${at_mount_point}, power cut: ${power_cut}, ${times} times at each step`, async (t) => {
        if (!requires(t, "root", "mkfs.ext4", "mkfs.xfs", "python3")) return;
        for (let turn = 0; turn < times; turn++)
          await crash_at_each_step(t, { kind, at_mount_point, power_cut });
      });
