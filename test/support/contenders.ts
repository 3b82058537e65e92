// Contenders for one lock: the real `leasehold run`, each with an app that writes down when it lived (fixtures/stamper.c).

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, chmodSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { at_end } from "./at-end.ts";
import { compile, guard } from "./hand.ts";
import { is_alive, type Process, read_process } from "./processes.ts";

export const stamper = compile("test/fixtures/stamper.c");

/** One process of an app, of one tenure. Instants are ns of CLOCK_BOOTTIME; last_ns: when it was last seen to run. */
export type Life = { token: bigint; begin_ns: bigint; last_ns: bigint; pid: number };
/** A line of the log. */
export type Line = {
  message: string;
  time?: string;
  state?: string;
  token?: string;
  instance?: string;
  [key: string]: unknown;
};

export type ContenderOptions = {
  lock: string;
  node?: string;
  /** More options of `leasehold run`. */
  args?: readonly string[];
  /** Instead of the stamper. stamps: it becomes one. */
  app?: readonly string[];
  stamps?: boolean;
  /** Of the stamper. */
  stamper?: readonly ("ignore" | "daemon")[];
  env?: NodeJS.ProcessEnv;
  /** What starts leasehold, such as ["ip", "netns", "exec", NAME]. */
  wrapper?: readonly string[];
  /** Another one than that of dist/. */
  guard?: string;
};

/** A TestContext, or whoever else sees to the end. */
export type Owner = { after(end: () => Promise<void>): void };

/** The shared folder of one test, and who contends for it. All of them end with the test. */
export class Contenders {
  readonly folder: string;
  readonly all: Contender[] = [];

  constructor(t: Owner) {
    this.folder = mkdtempSync(join(tmpdir(), "leasehold-lives-"));
    chmodSync(this.folder, 0o777);
    const remove = at_end(end_all, this.folder);
    t.after(async () => {
      await Promise.all(this.all.map((contender) => contender.end()));
      await remove();
    });
  }

  start(options: ContenderOptions): Contender {
    const { lock, args = [], wrapper = [], env = {} } = options;
    const node = options.node ?? `node-${this.all.length + 1}`;
    const app = options.app ?? [stamper, this.folder, ...(options.stamper ?? [])];
    const [program = "", ...rest] = [
      ...wrapper,
      ...[
        options.guard ?? guard,
        "run",
        "--lock",
        lock,
        "--node",
        node,
        "--log-format",
        "json",
        ...args,
        "--",
        ...app,
      ],
    ];
    const child = spawn(program, rest, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env.PATH, ...env },
    });
    appendFileSync(join(this.folder, "guards"), `${child.pid ?? ""}\n`);
    const contender = new Contender(node, child, options.stamps ?? options.app === undefined);
    this.all.push(contender);
    return contender;
  }

  /** Every process of an app that has ever lived, in the order in which they began. */
  lives(): Life[] {
    const read = (name: string): Life => {
      const bytes = readFileSync(join(this.folder, name));
      const at = (index: number): bigint => (bytes.length < 32 ? 0n : bytes.readBigUInt64LE(index * 8));
      return { token: at(0), begin_ns: at(1), last_ns: at(2), pid: Number(at(3)) };
    };
    const names = readdirSync(this.folder).filter((name) => name.startsWith("life-"));
    return names
      .map(read)
      .filter(({ last_ns }) => last_ns > 0n)
      .toSorted((a, b) => (a.begin_ns < b.begin_ns ? -1 : 1));
  }

  /** For how long apps of two tenures lived at the same time, the worst pair. 0: never. */
  overlap_ms(): number {
    const lives = this.lives();
    let worst_ns = 0n;
    for (const [index, one] of lives.entries())
      for (const other of lives.slice(index + 1)) {
        if (one.token === other.token) continue;
        const end_ns = one.last_ns < other.last_ns ? one.last_ns : other.last_ns;
        if (end_ns - other.begin_ns > worst_ns) worst_ns = end_ns - other.begin_ns;
      }
    return Number(worst_ns) / 1e6;
  }

  /** From the last sign of life of a tenure's app to the first one of the next tenure's, each, in order. */
  gaps_ms(): number[] {
    const tenures = new Map<bigint, { begin_ns: bigint; last_ns: bigint }>();
    for (const { token, begin_ns, last_ns } of this.lives()) {
      const known = tenures.get(token);
      if (!known) tenures.set(token, { begin_ns, last_ns });
      else if (last_ns > known.last_ns) known.last_ns = last_ns;
    }
    const all = [...tenures.values()];
    return all.slice(1).map(({ begin_ns }, index) => Number(begin_ns - (all[index]?.last_ns ?? 0n)) / 1e6);
  }

  /** Who runs an app now; waits until somebody does, and until the app itself has written down that it lives. */
  async holder(but?: Contender): Promise<Contender> {
    return until(
      () => this.all.find((contender) => contender !== but && this.runs(contender)),
      "an app's start",
      () => this.story(),
    );
  }
  /** It has an app, which stamps if it is a stamper. */
  runs(contender: Contender): boolean {
    const app = contender.ended ? undefined : contender.app;
    return app !== undefined && (!contender.stamps || this.lives().some(({ pid }) => pid === app));
  }
  /** For a failed test's message. */
  story(): string {
    return this.all.map((contender) => contender.story()).join("\n");
  }
}

export class Contender {
  readonly node: string;
  readonly child: ChildProcess;
  readonly exit: Promise<number | null>;
  /** Its app writes its lives down. */
  readonly stamps: boolean;
  readonly #seen = new Map<number, Process>();
  #stderr = "";
  #stdout = "";

  constructor(node: string, child: ChildProcess, stamps: boolean) {
    this.node = node;
    this.child = child;
    this.stamps = stamps;
    child.stderr?.on("data", (chunk: Buffer) => (this.#stderr += chunk.toString()));
    child.stdout?.on("data", (chunk: Buffer) => (this.#stdout += chunk.toString()));
    child.on("error", (error) => (this.#stderr += String(error)));
    this.exit = once(child, "exit").then(([code]) => code as number | null);
  }

  get stdout(): string {
    return this.#stdout;
  }
  get stderr(): string {
    return this.#stderr;
  }
  /** The log so far, whole lines; what isn't JSON is a line with only a message. */
  lines(): Line[] {
    const parse = (text: string): Line => {
      if (!text.startsWith("{")) return { message: text };
      const line = JSON.parse(text) as { message?: string };
      return { ...line, message: line.message ?? text };
    };
    return this.#stderr
      .split("\n")
      .slice(0, -1)
      .filter((line) => line !== "")
      .map(parse);
  }
  /** As its log has it. */
  get instance(): string {
    return this.lines().find(({ instance }) => instance !== undefined)?.instance ?? "";
  }
  /** For a failed test's message. */
  story(): string {
    const lines = this.lines().map(({ message, time = "" }) => `  ${time.slice(11)} ${message}`);
    return [`${this.node}:`, ...lines].join("\n");
  }
  /** Waits for a sentence in the log. */
  line(pattern: RegExp, patience_ms?: number): Promise<Line> {
    return until(
      () => this.lines().find(({ message }) => pattern.test(message)),
      `${this.node}'s ${pattern}`,
      () => this.story(),
      patience_ms,
    );
  }
  exited(patience_ms = 60_000): Promise<number | null> {
    return bounded(this.exit, patience_ms, () => this.story());
  }

  /** It has ended, or its guard was killed. */
  get ended(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }
  /** The guard: the child, or what its wrapper became. */
  get outer(): number {
    const own = this.child.pid ?? 0;
    if (read_process(own)?.comm.startsWith("leasehold") === true) return own;
    return this.#below().find(({ comm }) => comm.startsWith("leasehold"))?.pid ?? own;
  }
  get controller(): number {
    const pid = children(this.outer).find(({ comm }) => !comm.startsWith("lh-"))?.pid;
    if (pid === undefined) throw new Error(`${this.node} has no controller\n${this.story()}`);
    return pid;
  }
  get inner(): number | undefined {
    return children(this.outer).find(({ comm }) => comm === "lh-inner")?.pid;
  }
  /** The app's main process, once it is more than a fork of inner. */
  get app(): number | undefined {
    const { inner } = this;
    if (inner === undefined) return undefined;
    return children(inner).find(({ comm, state }) => !comm.startsWith("lh-") && state !== "Z")?.pid;
  }
  /** Nothing happens if it is gone already. */
  signal(signal: NodeJS.Signals, pid: number = this.outer): void {
    this.#below();
    send(pid, signal);
  }
  /** Everything of it at one instant, as when the machine is gone: stopped first, so that nothing of it sees another's end. */
  vanish(): void {
    const stopped = new Set<number>();
    for (
      let born = this.#below();
      born.length > 0;
      born = this.#below().filter(({ pid }) => !stopped.has(pid))
    )
      for (const { pid } of born) {
        send(pid, "SIGSTOP");
        stopped.add(pid);
      }
    for (const one of this.#below().toReversed()) send(one.pid, "SIGKILL");
  }

  /** Nothing of it is left, whatever state it is in. */
  async end(): Promise<void> {
    this.#below();
    for (const one of [...this.#seen.values()].toReversed())
      if (is_alive(one)) {
        send(one.pid, "SIGKILL");
        send(one.pid, "SIGCONT");
      }
    if (!this.ended) this.child.kill("SIGKILL");
    await this.exit.catch(() => {});
  }

  /** All of it, parents before children. */
  #below(): Process[] {
    const own = this.ended ? undefined : read_process(this.child.pid ?? 0);
    const all = own ? [own] : [];
    for (const one of all) all.push(...children(one.pid));
    for (const one of all) this.#seen.set(one.pid, one);
    return all.filter(({ state }) => state !== "Z");
  }
}

/** Cheaper than a look through all of /proc, for those who poll. */
function children(pid: number): Process[] {
  const read = (task: string): string => {
    try {
      return readFileSync(`/proc/${pid}/task/${task}/children`, "latin1");
    } catch {
      return ""; // it has ended
    }
  };
  const tasks = ((): string[] => {
    try {
      return readdirSync(`/proc/${pid}/task`);
    } catch {
      return [];
    }
  })();
  return tasks
    .flatMap((task) => read(task).split(" "))
    .filter((text) => text !== "")
    .map((text) => read_process(Number(text)))
    .filter((process) => process !== undefined);
}

/** Unless it is gone. */
function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** When the test has died: kills what the guards that are still there have below them, then them, and removes the folder. */
const end_all = `
below() { for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do below "$child"; done; echo "$1"; }
for guard in $(cat "$1/guards" 2>/dev/null); do
  grep -q "^leasehold" "/proc/$guard/comm" 2>/dev/null && kill -9 $(below "$guard") 2>/dev/null
done
rm -rf -- "$1"`;

/** Polls until it returns something. patience_ms: no expectation, a bound against hanging. */
export async function until<T>(
  look: () => T | undefined | false | Promise<T | undefined | false>,
  what: string,
  story: () => string = () => "",
  patience_ms = 60_000,
): Promise<T> {
  for (const end = performance.now() + patience_ms; performance.now() < end; await sleep(5)) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
  }
  throw new Error(`${what} did not come within ${patience_ms} ms\n${story()}`);
}

async function bounded<T>(promise: Promise<T>, patience_ms: number, story: () => string): Promise<T> {
  const late = new AbortController();
  const timer = sleep(patience_ms, undefined, { signal: late.signal }).then(
    () => Promise.reject(new Error(`no end within ${patience_ms} ms\n${story()}`)),
    () => undefined as never,
  );
  try {
    return await Promise.race([promise, timer]);
  } finally {
    late.abort();
  }
}
