// Runs the real guard with the throw-away controller, and looks at the processes from outside.

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync, type StdioOptions } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { all_processes, descendants, is_alive, type Process, read_process } from "./processes.ts";

const root = join(import.meta.dirname, "../..");
/** The guard under test: npm test runs these tests again with the sanitized one. */
export const guard = process.env.LEASEHOLD_TEST_GUARD ?? join(root, "dist/leasehold");
const node = join(root, "node_modules/node/bin/node");
/** Where compiled fixtures lie. */
const built = join(root, "dist/test");

/**
 * Compiles C sources, paths below the project, into a program named like the first one. Static, so that it runs in any root.
 */
export function compile(...sources: string[]): string {
  return compiled(sources, "", ["-static"]);
}
/** The same, to be loaded before another program's own libraries. */
export function compile_shared(source: string): string {
  return compiled([source], ".so", ["-shared", "-fPIC"]);
}
function compiled(sources: string[], ending: string, flags: string[]): string {
  const output = join(built, `${basename(sources[0] ?? "", ".c")}${ending}`);
  if (process.env.LEASEHOLD_TEST_COMPILED !== undefined && existsSync(output)) return output;
  mkdirSync(built, { recursive: true });
  const command = 'out=$0; cc -O1 -Wall -Wextra -Werror -o "$out.$$" "$@" && mv "$out.$$" "$out"';
  const files = sources.map((source) => join(root, source));
  const { status, stderr } = spawnSync("sh", ["-c", command, output, ...flags, ...files], {
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
  return output;
}
export const app = compile("test/fixtures/app.c");

export type Event = {
  event: string;
  at_ns?: string;
  why?: string;
  signal?: number;
  record?: string;
  [key: string]: unknown;
};

export type HandOptions = {
  /** Options of test/fixtures/controller.ts. */
  controller: readonly string[];
  app: readonly string[];
  /** What starts the guard, such as ["timeout", "2"]. */
  wrapper?: readonly string[];
  env?: NodeJS.ProcessEnv;
  stdio?: StdioOptions;
  /** In a session and process group of its own. */
  detached?: boolean;
  cwd?: string;
  /** Nobody reads its output, until it has ended. */
  silent?: boolean;
};

export type Prepared = {
  argv: string[];
  env: NodeJS.ProcessEnv;
  report: string;
  controller: string;
  /** Removes its files. */
  remove(): void;
};

/** How long any of it may take before the test fails: no expectation, a bound against hanging. */
const patience_ms = Number(process.env.LEASEHOLD_TEST_PATIENCE_MS ?? 30_000);

/** The guard's command line and environment, for whoever starts it. */
export function prepare(options: Omit<HandOptions, "stdio" | "detached" | "cwd" | "silent">): Prepared {
  const folder = mkdtempSync(join(tmpdir(), "leasehold-hand-"));
  chmodSync(folder, 0o777);
  const report = join(folder, "report");
  writeFileSync(report, "");
  chmodSync(report, 0o666);
  // The guard takes one program as its controller; this is Node with the fixture. Its path marks this test's command line.
  const controller = join(built, `controller-${basename(folder)}`); // not in /tmp, which a test may make noexec
  writeFileSync(
    controller,
    `#!/bin/sh\nexec "${node}" "${join(root, "test/fixtures/controller.ts")}" "$@"\n`,
  );
  chmodSync(controller, 0o755);
  return {
    argv: [
      ...(options.wrapper ?? []),
      ...[guard, "guard", controller, "--report", report, ...options.controller, "--", ...options.app],
    ],
    env: { ...(options.env ?? process.env), LEASEHOLD_TEST_GUARD: guard, LEASEHOLD_TEST_MARK: controller },
    report,
    controller,
    remove() {
      rmSync(folder, { recursive: true });
      rmSync(controller);
    },
  };
}

export async function hand(t: TestContext, options: HandOptions): Promise<Hand> {
  const prepared = prepare(options);
  const [program = "", ...args] = prepared.argv;
  const child = spawn(program, args, {
    stdio: options.stdio ?? ["ignore", "pipe", "pipe"],
    env: prepared.env,
    detached: options.detached ?? false,
    cwd: options.cwd ?? "/",
  });
  const h = new Hand(child, prepared, options.silent ?? false);
  t.after(async () => {
    await h.clean();
    prepared.remove();
  });
  return h;
}

export class Hand {
  readonly child: ChildProcess;
  readonly exit: Promise<{ code: number | null; signal: string | null }>;
  /** As exit, but doesn't wait until nobody holds its output any more. */
  readonly exit_code: Promise<number | null>;
  readonly mark: string;
  readonly #report: string;
  readonly #seen = new Map<number, Process>();
  readonly #output = { stdout: "", stderr: "" };

  /** The child is the guard, or has it among its descendants. */
  constructor(child: ChildProcess, { report, controller }: Prepared, silent: boolean) {
    this.child = child;
    this.mark = controller;
    this.#report = report;
    if (silent) child.on("exit", () => [child.stdout, child.stderr].forEach((stream) => stream?.resume()));
    else this.#read(child);
    this.exit = new Promise((resolve) => child.on("close", (code, signal) => resolve({ code, signal })));
    this.exit_code = new Promise((resolve) => child.on("exit", resolve));
    child.on("error", () => {});
  }

  #read(child: ChildProcess): void {
    child.stdout?.on("data", (chunk: Buffer) => (this.#output.stdout += chunk.toString("latin1")));
    child.stderr?.on("data", (chunk: Buffer) => (this.#output.stderr += chunk.toString("latin1")));
  }

  stdout(): string {
    return this.#output.stdout;
  }
  stderr(): string {
    return this.#output.stderr;
  }
  async output(pattern: RegExp): Promise<void> {
    await this.until(() => pattern.test(this.stdout()));
  }

  /** What the controller has written down so far. */
  events(): Event[] {
    const lines = readFileSync(this.#report, "utf8").split("\n").slice(0, -1);
    return lines.map((line) => JSON.parse(line) as Event);
  }
  event(name: string): Promise<Event> {
    return this.until(() => this.events().find(({ event }) => event === name), `the event ${name}`);
  }

  /** Waits until it returns something else than undefined and false. */
  async until<T>(look: () => T | undefined | false, what = "something"): Promise<T> {
    for (const end = Date.now() + patience_ms; Date.now() < end; await sleep(10)) {
      const seen = look();
      if (seen !== undefined && seen !== false) return seen;
    }
    throw new Error(
      `${what} did not come; stderr: ${this.stderr()}; events: ${JSON.stringify(this.events())}`,
    );
  }
  sleep(ms: number): Promise<void> {
    return sleep(ms);
  }
  /** What a controller that floods waits for. */
  go(): void {
    writeFileSync(`${this.#report}.go`, "");
  }

  // ---- processes ----

  /** The guard itself: the child, or the descendant of a wrapper. */
  get outer(): number {
    const found = this.#below().find(({ comm, ppid }) => comm.startsWith("leasehold") && ppid !== 0);
    const own = read_process(this.child.pid ?? 0);
    if (own?.comm.startsWith("leasehold") === true) return own.pid;
    assert.ok(found, "outer is not there");
    return found.pid;
  }
  get parent(): number {
    return read_process(this.outer)?.ppid ?? 0;
  }
  get controller(): number {
    const noted = this.events().find(({ event }) => event === "controller");
    const child = descendants(this.outer).find(
      ({ ppid, comm }) => ppid === this.outer && !comm.startsWith("lh-"),
    );
    const pid = child?.pid ?? noted?.pid;
    assert.ok(typeof pid === "number", "the controller is not there");
    return pid;
  }
  maybe_role(comm: string): number | undefined {
    return this.#below().find((process) => process.comm === comm && process.state !== "Z")?.pid;
  }
  role(comm: string): number {
    const pid = this.maybe_role(comm);
    assert.ok(pid !== undefined, `${comm} is not there`);
    return pid;
  }
  process_group(pid: number): number {
    const group = read_process(pid)?.pgrp ?? 0;
    assert.ok(group > 1 && group !== read_process(process.pid)?.pgrp, `${pid} has no group of its own`);
    return group;
  }
  app_group(): number {
    return this.process_group(descendants(this.role("lh-inner"))[0]?.pid ?? 0);
  }
  children(pid: number): Process[] {
    return all_processes().filter(({ ppid, state }) => ppid === pid && state !== "Z");
  }
  kill(pid: number, signal: NodeJS.Signals): void {
    assert.ok(pid > 1);
    process.kill(pid, signal);
  }

  /** The app's processes, once there are so many and none is about to end; remembered for the clean-up. */
  app_tree(least: number): Promise<Process[]> {
    return this.tree_below(() => this.maybe_role("lh-inner"), least);
  }
  tree_below(pid: number | (() => number | undefined), least: number): Promise<Process[]> {
    return this.until(() => {
      const top = typeof pid === "number" ? pid : pid();
      const tree = top === undefined ? [] : descendants(top).filter(({ state }) => state !== "Z");
      for (const process of tree) this.#seen.set(process.pid, process);
      return tree.length >= least && tree.every(({ comm }) => comm !== "app-forks") && tree;
    }, `a tree of ${least} processes`);
  }
  alive(processes: readonly Process[]): Process[] {
    return processes.filter(is_alive);
  }
  async gone(processes: readonly Process[]): Promise<void> {
    assert.ok(processes.length > 0, "there was nothing to be gone");
    await this.until(
      () => this.alive(processes).length === 0,
      `the death of ${processes.map(({ pid }) => pid).join(" ")}`,
    );
  }
  /** Nothing of the app is anywhere on this machine: also what was never seen by its pid is found by its program. */
  async no_descendant(): Promise<void> {
    await this.until(() => this.strays().length === 0, "the end of all of the app");
  }
  /** Processes whose environment bears this test's mark, the guard's own roles and the controller left out. */
  strays(): Process[] {
    return all_processes().filter(
      ({ pid, comm, state }) => comm.startsWith("app") && state !== "Z" && this.#marked(pid),
    );
  }
  #marked(pid: number): boolean {
    try {
      return readFileSync(`/proc/${pid}/environ`, "latin1").includes(this.mark_env());
    } catch {
      return false;
    }
  }
  mark_env(): string {
    return `LEASEHOLD_TEST_MARK=${this.mark}`;
  }

  #below(): Process[] {
    const below = this.child.pid === undefined ? [] : descendants(this.child.pid);
    const mine = [...below, ...[...this.#seen.values()].filter(is_alive)];
    for (const process of below) this.#seen.set(process.pid, process);
    return mine;
  }

  /** Ends all that this test has seen, by pid and start time. */
  async clean(): Promise<void> {
    this.#below();
    const own = this.child.pid === undefined ? undefined : read_process(this.child.pid);
    if (own) this.#seen.set(own.pid, own);
    for (let round = 0; round < 5; round++) {
      for (const one of this.#seen.values()) {
        for (const child of descendants(one.pid)) if (is_alive(one)) this.#seen.set(child.pid, child);
      }
      for (const one of this.#seen.values()) {
        try {
          if (is_alive(one)) process.kill(one.pid, "SIGKILL");
        } catch {
          // gone meanwhile
        }
      }
      await sleep(20);
      if ([...this.#seen.values()].every((one) => !is_alive(one))) break;
    }
    if (existsSync(this.#report) && this.child.exitCode === null && this.child.signalCode === null)
      await this.exit;
  }
}
