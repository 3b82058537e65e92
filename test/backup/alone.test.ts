// Two backups of the same data, each in a process of its own as they are.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { once } from "node:events";
import { test, type TestContext } from "node:test";
import { alone } from "../../src/backup/alone.ts";
import { started_at } from "../../src/guard/kernel.ts";
import { until } from "../support/contenders.ts";
import { scratch } from "./backups.ts";

const module_of = (path: string): string => JSON.stringify(join(import.meta.dirname, "../../src", path));

/** Writes `in` while it is alone, tries so many times, and ends with how often it was. */
function another(t: TestContext, folder: string, times: number, patient = false) {
  const script = `
    import { existsSync, rmSync, writeFileSync } from "node:fs";
    import { setTimeout as sleep } from "node:timers/promises";
    import { alone } from ${module_of("backup/alone.ts")};
    let made = 0;
    for (let turn = 0; turn < ${times}; turn++) {
      await alone(${JSON.stringify(folder)}, ${patient}, async ({ makes }) => {
        makes("half of it");
        writeFileSync(${JSON.stringify(join(folder, "in"))}, "", { flag: "wx" }); // fails beside another one
        await sleep(${times === 1 ? 600_000 : 1});
        rmSync(${JSON.stringify(join(folder, "in"))});
        made++;
      });
      await sleep(Math.random() * 2);
    }
    console.log(made);
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  return child;
}

test("while another one is under way none begins, or it waits; what a killed one leaves keeps nobody", async (t) => {
  const folder = scratch(t);
  const child = another(t, folder, 1);
  await until(() => existsSync(join(folder, "in")), "the other one");
  assert.equal(await alone(folder, false, () => Promise.resolve("made")), null);
  const waiting = alone(folder, true, () => Promise.resolve("made"));
  child.kill("SIGKILL");
  await once(child, "exit");
  assert.equal(await waiting, "made");
  assert.deepEqual(readdirSync(folder), ["in"]);
});

test("of processes that begin at the same time never two go on", async (t) => {
  const folder = scratch(t);
  const children = [another(t, folder, 400), another(t, folder, 400), another(t, folder, 400)];
  const made = await Promise.all(
    children.map(async (child) => {
      let text = "";
      child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
      assert.deepEqual(await once(child, "close"), [0, null]);
      return Number(text);
    }),
  );
  assert.ok(
    made.every((count) => count > 0),
    made.join(),
  );
  assert.deepEqual(readdirSync(folder), []);
});

test("of another process with that number, and of another start of the machine, nothing counts", async (t) => {
  const folder = scratch(t);
  const started = started_at(process.ppid) ?? "";
  writeFileSync(join(folder, `backing-up-${process.ppid}-1-x`), "");
  writeFileSync(join(folder, `backing-up-${process.ppid}-${started}-another-boot`), "");
  assert.equal(await alone(folder, false, () => Promise.resolve("made")), "made");
  assert.deepEqual(readdirSync(folder), []);
});

test("what a killed one was making is told to the next one that goes on; what another machine's was, is not", async (t) => {
  const folder = scratch(t);
  const child = another(t, folder, 1);
  await until(() => existsSync(join(folder, "in")), "the other one");
  const [name = ""] = readdirSync(folder).filter((one) => one.startsWith("backing-up-"));
  assert.equal(readFileSync(join(folder, name), "utf8"), "half of it");
  writeFileSync(join(folder, `backing-up-1-1-another-boot`), "all of it");
  assert.equal(await alone(folder, false, () => Promise.resolve("made")), null);
  child.kill("SIGKILL");
  await once(child, "exit");
  const failed = alone(folder, false, () => Promise.reject(new Error("the store is not there")));
  await assert.rejects(failed, /the store is not there/);
  const told = await alone(folder, false, ({ left }) => Promise.resolve(left));
  assert.deepEqual(told, ["half of it"]);
  assert.deepEqual(await alone(folder, false, ({ left }) => Promise.resolve(left)), []);
});

test("what fails is no longer under way", async (t) => {
  const folder = scratch(t);
  await assert.rejects(
    alone(folder, false, () => Promise.reject(new Error("no"))),
    /no/,
  );
  assert.deepEqual(readdirSync(folder), []);
});
