// One of the two: `leasehold run`, as an orchestrator would start it, and start it again when it has ended.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

export type ContenderOptions = {
  node: string;
  command: readonly [string, ...string[]];
  /** What it says, and the code with which it ends. */
  on_line: (line: string) => void;
  on_end: (code: number | null) => void;
};

export class Contender {
  readonly node: string;
  readonly #options: ContenderOptions;
  #child: ChildProcess | undefined;
  /** How often it was started. */
  starts = 0;

  constructor(options: ContenderOptions) {
    this.node = options.node;
    this.#options = options;
  }

  start(): void {
    this.starts++;
    const { command, on_line, on_end } = this.#options;
    const [program, ...args] = command;
    const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
    createInterface(child.stderr).on("line", (line) => on_line(message_of(line)));
    child.on("exit", (code) => {
      this.#child = undefined;
      on_end(code);
    });
    this.#child = child;
  }

  get alive(): boolean {
    return this.#child !== undefined;
  }
  /** leasehold's own process, the app's, or the Node that decides. */
  pid(which: "outer" | "controller" | "app"): number {
    const outer = this.#child?.pid;
    if (outer === undefined) throw new Error(`${this.node} is not running`);
    if (which === "outer") return outer;
    const children = children_of(outer);
    const controller = children.find((pid) => arguments_of(pid).includes("run"));
    if (which === "controller") return found(controller, this.node, which);
    const inner = children.find((pid) => pid !== controller && children_of(pid).length > 0);
    return found(inner === undefined ? undefined : children_of(inner)[0], this.node, which);
  }
  /** All of its processes. */
  tree(): number[] {
    const below = (pid: number): number[] => [pid, ...children_of(pid).flatMap(below)];
    return below(this.pid("outer"));
  }
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    const child = this.#child;
    if (!child) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  }
}

function found(pid: number | undefined, node: string, which: string): number {
  if (pid === undefined) throw new Error(`${node} has no ${which}`);
  return pid;
}
function children_of(pid: number): number[] {
  return read(`/proc/${pid}/task/${pid}/children`).trim().split(" ").filter(Boolean).map(Number);
}
function arguments_of(pid: number): string[] {
  return read(`/proc/${pid}/cmdline`).split("\0");
}
function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
function message_of(line: string): string {
  try {
    const entry: unknown = JSON.parse(line);
    return typeof entry === "object" && entry !== null && "message" in entry ? String(entry.message) : line;
  } catch {
    return line;
  }
}
