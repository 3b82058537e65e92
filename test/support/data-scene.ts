// A data directory on a labelled volume whose lock lies on it, a labelled store, and apps that are shell scripts in that directory.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type Contender, Contenders, until } from "./contenders.ts";
import { guard } from "./hand.ts";
import { mounts_folder, tmpfs } from "./file-systems.ts";
import { label } from "./volume.ts";

export const ttl_ms = 3000;

export type DataScene = {
  contenders: Contenders;
  data: string;
  store: string;
  work: string;
  volume: string;
  /** Starts a contender whose app is this script, in the data directory. */
  start: (script: string, ...more: string[]) => Contender;
  /** A leasehold command with the same configuration. */
  command: (...argv: string[]) => { status: number | null; stdout: string; stderr: string };
  /** A life of an app that writes this into the file `who`, and a backup of it. Its id. */
  life: (who: string) => Promise<string>;
  stop: (contender: Contender) => Promise<void>;
  /** The disk is a new one: the data is gone, and all that was beside it. */
  forget: () => void;
};

/** on: instead of directories file systems of their own, with these options of tmpfs; that needs root. */
export function data_scene(t: TestContext, on: { volume?: string; store?: string } = {}): DataScene {
  const folder = mounts_folder(t);
  const [volume = "", store = ""] = (["volume", "store"] as const).map((name) => {
    const options = on[name];
    const path = join(folder, name);
    if (options === undefined) mkdirSync(path);
    else tmpfs(folder, name, options);
    label(path, ttl_ms);
    return path;
  });
  const data = join(volume, "db");
  const options = ["--ttl", `${ttl_ms}ms`, "--drain", "200ms", "--data", data, "--backup-store", store];
  const name = ["--backup-name", "app"];
  const contenders = new Contenders(t);
  const lock = `file://${volume}`;
  const start = (script: string, ...more: string[]): Contender =>
    contenders.start({
      ...{ lock, node: "a", args: [...options, ...name, ...more] },
      app: ["sh", "-c", `mkdir -p ${data} && cd ${data} && ${script}`],
    });
  const command = (...argv: string[]) => {
    const { status, stdout, stderr } = spawnSync(guard, argv, {
      encoding: "utf8",
      timeout: 30_000,
      env: { PATH: process.env.PATH },
    });
    return { status, stdout, stderr };
  };
  const stop = async (contender: Contender): Promise<void> => {
    contender.signal("SIGTERM");
    assert.equal(await contender.exited(), 143, contender.story());
  };
  async function life(who: string): Promise<string> {
    const one = start(`echo ${who} > who; sync; exec sleep 600`);
    await contenders.holder();
    await until(
      () => existsSync(join(data, "who")) && readFileSync(join(data, "who"), "utf8").trim() === who,
      "it",
      () => one.story(),
    );
    const { status, stdout, stderr } = command("backup", "now", "--pid", String(one.outer));
    assert.equal(status, 0, stderr);
    await stop(one);
    return /^\S+/.exec(stdout)?.[0] ?? "";
  }
  const work = join(volume, ".db.leasehold");
  const forget = (): void => [data, work].forEach((path) => rmSync(path, { recursive: true, force: true }));
  return { contenders, data, store, work, volume, start, command, life, stop, forget };
}
