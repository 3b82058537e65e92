// Who runs when: a thread that looks at the containers' control groups every two milliseconds, whatever the test does meanwhile.
// What is frozen doesn't run.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

/** One container in which the server ran: instants of CLOCK_MONOTONIC in ms. */
type Span = { container: string; from_ms: number; to_ms: number };
/** Two containers' servers seen running in the same look. */
type Overlap = { containers: readonly [string, string]; from_ms: number; to_ms: number };
type Seen = { spans: Span[]; overlaps: Overlap[]; looks: number };

const now_ms = (): number => Number(process.hrtime.bigint()) / 1e6;

export class Running {
  readonly #worker: Worker;
  readonly #ended: Promise<void>;

  /** program: the server's name, as /proc has it. */
  constructor(program: string) {
    this.#worker = new Worker(import.meta.filename, { workerData: { program } });
    this.#ended = new Promise((resolve) => this.#worker.once("exit", () => resolve()));
  }

  /** pid: its first process. */
  watch(container: string, pid: number): void {
    this.#worker.postMessage({ container, ...places_of(pid) }, []);
  }
  /** All that was seen so far. */
  async seen(): Promise<Seen> {
    const answer = new Promise<Seen>((resolve) => this.#worker.once("message", resolve));
    this.#worker.postMessage("tell", []);
    return answer;
  }
  async end(): Promise<void> {
    await this.#worker.terminate();
    await this.#ended;
  }
}

type Places = { procs: string; frozen: string; is: string };

/** Of version 1, also in the hybrid layout, or of version 2. */
function places_of(pid: number): Places {
  const lines = readFileSync(`/proc/${pid}/cgroup`, "utf8").split("\n");
  const path = (which: string): string | undefined =>
    lines.find((line) => line.split(":")[1] === which)?.replace(/^\d+:[^:]*:/, "");
  const top = "/sys/fs/cgroup";
  const own = path("freezer");
  if (own !== undefined) {
    const folder = join(top, "freezer", own);
    return { procs: join(folder, "cgroup.procs"), frozen: join(folder, "freezer.state"), is: "FROZEN" };
  }
  const folder = join(top, path("") ?? "");
  return { procs: join(folder, "cgroup.procs"), frozen: join(folder, "cgroup.freeze"), is: "1" };
}

function look_on(program: string): void {
  const watched = new Map<string, Places>();
  const seen: Seen = { spans: [], overlaps: [], looks: 0 };
  const open = new Map<string, Span>();
  const both = new Map<string, Overlap>();
  const text = (file: string): string => {
    try {
      return readFileSync(file, "latin1");
    } catch {
      return ""; // it has ended
    }
  };
  /** Not a zombie, and no other program yet. */
  const serves = (pid: string): boolean => {
    const stat = text(`/proc/${pid}/stat`);
    return stat.includes(`(${program})`) && !/\) [ZX] /.test(stat);
  };
  const runs = ({ procs, frozen, is }: Places): boolean =>
    text(procs).split("\n").some(serves) && text(frozen).trim() !== is;
  const look = (): void => {
    const begun_ms = now_ms();
    const running = [...watched].filter(([, places]) => runs(places)).map(([container]) => container);
    const ended_ms = now_ms();
    seen.looks += 1;
    for (const [container, places] of watched) {
      if (!existsSync(places.procs)) watched.delete(container);
      if (running.includes(container)) {
        const span = open.get(container) ?? { container, from_ms: begun_ms, to_ms: ended_ms };
        if (!open.has(container)) seen.spans.push(span);
        open.set(container, span);
        span.to_ms = ended_ms;
      } else open.delete(container);
    }
    const pairs = running.flatMap((one, at) => running.slice(at + 1).map((two) => [one, two] as const));
    for (const pair of pairs) {
      const known = both.get(pair.join(" ")) ?? { containers: pair, from_ms: begun_ms, to_ms: ended_ms };
      if (!both.has(pair.join(" "))) seen.overlaps.push(known);
      both.set(pair.join(" "), known);
      known.to_ms = ended_ms;
    }
  };
  parentPort?.on("message", (message: "tell" | ({ container: string } & Places)) => {
    if (message === "tell") parentPort?.postMessage(seen, []);
    else watched.set(message.container, message);
  });
  setInterval(look, 2);
}

if (!isMainThread && typeof workerData === "object" && workerData !== null && "program" in workerData)
  look_on(String(workerData.program));
