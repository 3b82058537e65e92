// A container as `docker run` makes it: Docker's capabilities, seccomp profile, masked /proc, devices and namespaces
// (but the machine's network), run by runc over a root of a few files. Needs root and the Debian packages runc and
// busybox-static.

import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { constants, tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { at_end } from "./at-end.ts";
import { config, type ContainerConfig } from "./container-config.ts";
import { open_pty, type Pty } from "./pty.ts";

export type ContainerOptions = ContainerConfig & {
  /** Path in the container → file of this machine, copied. The rest of the root is busybox and empty folders. */
  rootfs_files?: Readonly<Record<string, string>>;
  /** On a terminal of its own; handle.pty, and no stdin, stdout, stderr. */
  tty?: boolean;
};

type Exit = { code: number | null; signal: NodeJS.Signals | null };

export type Container = {
  /** The first process's, out here. */
  pid: number;
  stdin: ChildProcessWithoutNullStreams["stdin"] | undefined;
  stdout(): string;
  stderr(): string;
  pty: Pty | undefined;
  /** The first process's exit code, 128 + N after signal N, as Docker has it. */
  exit: Promise<number>;
  /** To the first process. Signals that it hasn't set up a handler for don't reach it, but for SIGKILL and SIGSTOP. */
  kill(signal: NodeJS.Signals): void;
  /** As docker pause: the freezer. */
  pause(): void;
  resume(): void;
  /** Kills it with all in it, removes everything. Runs after the test anyway. */
  delete(): Promise<void>;
};

/** Resolves when the first process runs. */
export async function start_container(t: TestContext, options: ContainerOptions): Promise<Container> {
  const bundle = mkdtempSync(join(tmpdir(), "leasehold-container-"));
  const id = basename(bundle);
  const state = join(bundle, "state");
  // A paused one would be killed only when it goes on.
  const remove = at_end(
    'runc --root "$1/state" resume "$2" 2>&-; runc --root "$1/state" delete --force "$2" && rm -rf "$1"',
    bundle,
    id,
  );
  t.after(remove);
  make_root(join(bundle, "rootfs"), options.rootfs_files ?? {});
  writeFileSync(join(bundle, "config.json"), JSON.stringify(config(id, options, options.tty === true)));

  const runc = (...args: string[]): void => {
    const { status, stderr } = spawnSync("runc", ["--root", state, ...args, id], { encoding: "utf8" });
    if (status !== 0) throw new Error(`runc ${args.join(" ")}: ${stderr}`);
  };
  const pid_file = join(bundle, "pid");
  const argv = ["runc", "--root", state, "run", "--bundle", bundle, "--pid-file", pid_file, id];
  const output = { stdout: "", stderr: "" };
  const pty = options.tty === true ? await open_pty(t, argv) : undefined;
  const child = pty ? undefined : spawn("runc", argv.slice(1), { stdio: ["pipe", "pipe", "pipe"] });
  child?.stdin.on("error", () => {});
  child?.stdout.on("data", (chunk: Buffer) => (output.stdout += chunk.toString("latin1")));
  child?.stderr.on("data", (chunk: Buffer) => (output.stderr += chunk.toString("latin1")));
  const exit: Promise<number> = (
    pty?.exit ??
    new Promise<Exit>((resolve, reject) => {
      child?.on("error", reject).on("close", (code, signal) => resolve({ code, signal }));
    })
  ).then(({ code, signal }) => code ?? 128 + (signal ? constants.signals[signal] : 0));
  const first = { ended: false };
  void exit.then(() => (first.ended = true));

  while (!existsSync(pid_file) || readFileSync(pid_file, "utf8") === "") {
    if (first.ended) throw new Error(`runc started nothing: ${output.stderr}${pty?.output() ?? ""}`);
    await sleep(2);
  }
  const pid = Number(readFileSync(pid_file, "utf8"));
  return {
    pid,
    stdin: child?.stdin,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    pty,
    exit,
    kill(signal) {
      // runc reaps it before it ends itself: until then the pid is nobody else's.
      if (!first.ended) process.kill(pid, signal);
    },
    pause: () => runc("pause"),
    resume: () => runc("resume"),
    async delete() {
      await remove();
      await exit;
    },
  };
}

export type ContainerResult = { code: number; stdout: string; stderr: string; pid: number };

/** Starts it, waits for its end, removes it. It is killed when its time is over: its code is then 137. */
export async function run_container(
  t: TestContext,
  options: ContainerOptions & { stdin?: string; timeout_ms: number },
): Promise<ContainerResult> {
  const container = await start_container(t, options);
  container.stdin?.end(options.stdin ?? "");
  const timer = setTimeout(() => container.kill("SIGKILL"), options.timeout_ms);
  const code = await container.exit;
  clearTimeout(timer);
  await container.delete();
  const stdout = container.pty?.output() ?? container.stdout();
  return { code, stdout, stderr: container.stderr(), pid: container.pid };
}

function make_root(root: string, files: Readonly<Record<string, string>>): void {
  for (const folder of ["bin", "dev", "etc", "proc", "run", "sys"])
    mkdirSync(join(root, folder), { recursive: true });
  mkdirSync(join(root, "tmp"));
  spawnSync("chmod", ["1777", join(root, "tmp")]);
  copyFileSync("/bin/busybox", join(root, "bin/busybox"));
  const { stdout } = spawnSync("busybox", ["--list"], { encoding: "utf8" });
  for (const name of stdout.split("\n")) {
    if (name !== "" && name !== "busybox") symlinkSync("busybox", join(root, "bin", name));
  }
  writeFileSync(join(root, "etc/passwd"), "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n");
  writeFileSync(join(root, "etc/group"), "root:x:0:\nnogroup:x:65534:\n");
  for (const [path, file] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    copyFileSync(file, join(root, path));
  }
}
