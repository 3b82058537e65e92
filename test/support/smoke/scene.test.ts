import assert from "node:assert/strict";
import { readFileSync, readlinkSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { until } from "../contenders.ts";
import { all_processes } from "../processes.ts";
import { requires } from "../requires.ts";
import { type Place, scene } from "../scene.ts";

const places: readonly Place[] = ["namespaces", "uml"];

for (const place of places) {
  test(`${place}: a scene that fails says why, and leaves nothing behind`, async (t) => {
    if (!ready(t, place)) return;
    const mark = `smoke-${process.pid}-fails`;
    const running = scene({ place, program: "smoke", args: ["fails", mark], timeout_ms: 60_000 });
    await assert.rejects(running, /ended with 1:[^]*as it was asked to/);
    await nothing_left(mark);
  });

  test(`${place}: a scene that doesn't end is ended, and leaves nothing behind`, async (t) => {
    if (!ready(t, place)) return;
    const mark = `smoke-${process.pid}-hangs`;
    const running = scene({ place, program: "smoke", args: ["hangs", mark], timeout_ms: 10_000 });
    await assert.rejects(running, /ended with null:[^]*@fact \{"fact":"up"/);
    await nothing_left(mark);
  });
}

function ready(t: TestContext, place: Place): boolean {
  return place === "uml"
    ? requires(t, "root", "uml", "kmod", "ip", "unshare", "iptables-legacy")
    : requires(t, "root", "ip", "unshare", "setpriv");
}

/** Its first process is dead; the kernel has killed the others with it, and on a busy machine they take their time to die. */
async function nothing_left(mark: string): Promise<void> {
  await until(
    () => leftovers(mark).length === 0,
    "the end of all of it",
    () => leftovers(mark).join("\n"),
  );
}

/** Processes that name it or see a mount of that name, wherever on this machine. */
function leftovers(mark: string): string[] {
  return all_processes()
    .filter(({ pid, state }) => state !== "Z" && pid !== process.pid)
    .filter(({ pid }) => [`cmdline`, `mountinfo`].some((file) => read(pid, file).includes(mark)))
    .map(({ pid, comm }) => `${pid} ${comm}`);
}

function read(pid: number, file: string): string {
  try {
    readlinkSync(`/proc/${pid}/exe`); // the kernel's own have none
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    return "";
  }
}
