// The contract on a volume, through the real probe jobs: in a real directory; and on a file system that stops answering.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext } from "node:test";
import { FileLock } from "../../src/lock/file/lock.ts";
import { release_file } from "../../src/lock/file/release.ts";
import { leasehold_folder } from "../../src/storage/identity.ts";
import { hanging_fs } from "../support/hung-fs.ts";
import { requires } from "../support/requires.ts";
import { label } from "../support/volume.ts";
import { type Backend, contract } from "./contract.ts";

const ttl_ms = 1500;

/** Each lock is a volume of its own, below root. */
function backend(root: string, hang: Pick<Backend, "stop" | "resume">): Backend {
  const volume = (path: string): string => {
    const at = join(root, path.replaceAll("/", "-"));
    if (!existsSync(at)) {
      mkdirSync(at);
      label(at, ttl_ms);
    }
    return at;
  };
  return {
    ttl_ms,
    attempt_ms: 500,
    open(path, options) {
      const at = volume(path);
      return new FileLock(
        { path: at },
        { ...options, volume: { path: at, id: null, view_age_ms: 0, local: true } },
      );
    },
    release: release_file,
    // What an operator can do by accident: the claims are gone, and what lives stays to be seen.
    delete_lock(path) {
      const folder = join(volume(path), leasehold_folder);
      for (const name of readdirSync(folder)) if (name.endsWith(".claim")) rmSync(join(folder, name));
      return Promise.resolve();
    },
    ...hang,
  };
}

const directory = mkdtempSync(join(tmpdir(), "leasehold-locks-"));
after(() => rmSync(directory, { recursive: true, force: true }));
contract("file, in a directory", () => Promise.resolve(backend(directory, { stop() {}, resume() {} })), [
  "foreign",
  "silence",
]);

let unmount = async (): Promise<void> => {};
after(() => unmount());
contract(
  "file, on a file system that hangs",
  async (t: TestContext) => {
    if (!requires(t, "root", "bindfs")) return null;
    const fs = await hanging_fs();
    unmount = () => fs.close();
    return backend(fs.path, { stop: () => fs.hang(), resume: () => fs.go_on() });
  },
  ["foreign", "rest"],
);
