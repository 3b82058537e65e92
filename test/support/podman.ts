// Images and containers by podman and runc, with a storage of the test's own. Needs root and the Debian packages podman and
// mmdebstrap. There is no registry: base images are roots of Debian's packages, from where this machine gets its own.

import { execFile, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { at_end } from "./at-end.ts";
import type { Owner } from "./contenders.ts";
import { make_payload } from "./payload.ts";
import type { Requirement } from "./requires.ts";

export const podman_needs: readonly Requirement[] = ["root", "podman", "runc", "mmdebstrap"];
const official = join(import.meta.dirname, "../container/images");

const sources = ["/etc/apt/sources.list", "/etc/apt/sources.list.d/debian.sources"];

export class Podman {
  readonly folder: string;
  readonly #global: readonly string[];

  constructor(t: Owner) {
    this.folder = mkdtempSync(join(tmpdir(), "leasehold-podman-"));
    const own = ["--root", join(this.folder, "store"), "--runroot", join(this.folder, "run")];
    const global = [...own, "--cgroup-manager=cgroupfs"];
    // Where the machine's own files lie on an overlay there can't be another one.
    const overlays = spawnSync("podman", [...global, "info"]).status === 0;
    this.#global = overlays ? global : [...global, "--storage-driver=vfs"];
    // A paused one can't be removed by force.
    const script = `folder=$1; shift
      podman "$@" unpause --all; podman "$@" rm --force --all --time 0; podman "$@" image unmount --all
      umount "$folder"/store/*/ ; rm -rf -- "$folder"`;
    t.after(at_end(`{ ${script}; } >/dev/null 2>&1; :`, this.folder, ...this.#global));
  }

  /** Its output. Rejects when it fails, with what it said. */
  async run(...args: readonly string[]): Promise<string> {
    const { stdout } = await promisify(execFile)("podman", [...this.#global, ...args], { maxBuffer: 1e8 });
    return stdout.trim();
  }

  /** What a container wrote to both streams. */
  async log(id: string): Promise<string> {
    const { stdout, stderr } = await promisify(execFile)("podman", [...this.#global, "logs", id], {
      maxBuffer: 1e8,
    });
    return stdout + stderr;
  }

  /** A root of Debian with these packages, as a base image. */
  async base(tag: string, packages: readonly string[]): Promise<void> {
    const tar = join(this.folder, "base.tar");
    const from = sources.filter(
      (file) => existsSync(file) && readFileSync(file, "utf8").includes("debian.org"),
    );
    const options = ["--variant=minbase", `--include=${packages.join(",")}`, "--aptopt=Acquire::Retries 3"];
    await promisify(execFile)("mmdebstrap", ["--quiet", ...options, "bookworm", tar, ...from], {
      maxBuffer: 1e8,
    });
    await this.run("import", "--quiet", tar, tag);
  }

  async build(tag: string, folder: string, ...options: readonly string[]): Promise<void> {
    const how = ["--isolation=chroot", "--network=host", "--pull=never", "--quiet", "--tag", tag];
    await this.run("build", ...how, ...options, folder);
  }

  /** The image `leasehold`, as the last stage of container/Dockerfile makes it, of this machine's dist/. */
  async leasehold(): Promise<void> {
    const payload = make_payload();
    const file = join(this.folder, "Leasehold");
    writeFileSync(file, "FROM scratch\nCOPY . /opt/leasehold\n");
    await this.build("leasehold", payload.folder, "--file", file);
    await payload.remove();
  }

  /** An official image's likeness under its own name. */
  async official(name: string, base: string, version: string): Promise<string> {
    const tag = `docker.io/library/${name}:${version}`;
    await this.build(tag, join(official, name), "--build-arg", `BASE=${base}`);
    return tag;
  }
  /** `singleton-NAME`: the same with leasehold in front. */
  async singleton(name: string, base: string): Promise<void> {
    const tag = await this.official(name, base, "test");
    await this.build(`singleton-${name}`, join(official, "singleton"), "--build-arg", `IMAGE=${tag}`);
  }

  /** Runs in the background; its id. */
  create(name: string, image: string, options: readonly string[], cmd: readonly string[] = []) {
    const machine = ["--runtime=runc", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"];
    const how = ["--detach", "--pull=never", "--log-driver=k8s-file", "--name", name, "--hostname", name];
    return this.run("run", ...machine, ...how, ...options, image, ...cmd);
  }
}
