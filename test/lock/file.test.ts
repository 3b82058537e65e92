// The contract on a volume, through the real probe jobs: in a real directory; and on a file system that stops answering.

import { after, type TestContext } from "node:test";
import { FileLock } from "../../src/lock/file/lock.ts";
import { release_file } from "../../src/lock/file/release.ts";
import { hanging_fs } from "../support/hung-fs.ts";
import { requires } from "../support/requires.ts";
import { Volumes } from "../support/volumes.ts";
import { type Backend, contract } from "./contract.ts";

const ttl_ms = 1500;

function backend(volumes: Volumes, hang: Pick<Backend, "stop" | "resume">): Backend {
  return {
    ttl_ms,
    attempt_ms: 500,
    waits_out: true,
    open(path, options) {
      const volume = volumes.witness(path);
      return new FileLock(volume, { ...options, volume });
    },
    release: release_file,
    delete_lock: (path) => Promise.resolve(volumes.remove_claims(path)),
    ...hang,
  };
}

const local = new Volumes(ttl_ms);
after(() => local.remove());
contract("file, in a directory", () => Promise.resolve(backend(local, { stop() {}, resume() {} })), [
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
    return backend(new Volumes(ttl_ms, fs.path), { stop: () => fs.hang(), resume: () => fs.go_on() });
  },
  ["foreign", "rest"],
);
