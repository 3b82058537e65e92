import { realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import type { How } from "./events.ts";
import { type Bytes, Decoder, FrameError } from "./frames.ts";

export type JobOptions = {
  command: readonly string[];
  /** CLOCK_BOOTTIME in nanoseconds; its tree is killed then. */
  deadline_ns: bigint;
  /** The controller's clock, for what happens when the job guard itself is stopped. */
  now_ns: () => bigint;
  /** The job ends with this tenure, too. Needs the page. */
  tenure?: bigint;
  /** From the SIGTERM of an abort to SIGKILL. */
  grace_ms?: number;
  /** The environment is the app's original one instead of the controller's. Needs the page. */
  app_env?: boolean;
  set?: Readonly<Record<string, string>>;
  unset?: readonly string[];
  input?: Bytes;
  /** What it writes to either stream, as it comes. */
  on_output?: (chunk: Buffer) => void;
  /** Hands the guard's page on, descriptor 4 in a controller as in its jobs; a number: where it is in another process. */
  page?: boolean | number;
  abort?: AbortSignal;
  guard?: string;
};

/** How a job ended. `undead` doesn't wait for it: the job guard goes on alone, and whoever counts jobs counts it. */
export type JobEnd =
  | { how: How; value: number }
  | { how: "killed"; why: "deadline" | "order" | "guard" }
  | { how: "undead"; pid: number; state: string; since_ms: number };

/** Bytes of both streams are cut at output_max_bytes. */
export type JobResult = { end: JobEnd; stdout: Buffer; stderr: Buffer };

const output_max_bytes = 8 << 20;

/** How long after its deadline a job guard that said nothing is taken for stopped. What can't be killed it reports after a second. */
const stopped_ms = 2000;

/** How long the pipes of a job guard that was killed may stay open: what it leaves may hold them for ever. */
const left_ms = 500;

/** execa is a fifth of the whole start, and most never run a job. Whoever is going to run one loads it before. */
export const load_jobs = async () => import("execa");

/** Runs one command under a job guard (frames.md). Never rejects for what the command does. */
export async function run_job(options: JobOptions): Promise<JobResult> {
  const { page = false, tenure, app_env = false, grace_ms, set = {}, unset = [] } = options;
  const args = [
    "job",
    ...["--deadline", String(options.deadline_ns)],
    ...(tenure === undefined ? [] : ["--tenure", String(tenure)]),
    ...(grace_ms === undefined ? [] : ["--grace", String(grace_ms)]),
    ...(app_env ? ["--app-env"] : []),
    ...unset.flatMap((name) => ["--unset", name]),
    ...Object.entries(set).flatMap(([name, value]) => ["--set", `${name}=${value}`]),
    "--",
    ...options.command,
  ];
  const { execa } = await load_jobs();
  const job = execa(options.guard ?? guard_path(), args, {
    stdio: ["pipe", "pipe", "pipe", "pipe", page_at(page)],
    input:
      typeof options.input === "string" ? Buffer.from(options.input) : (options.input ?? Buffer.alloc(0)),
    encoding: "buffer",
    maxBuffer: output_max_bytes,
    reject: false,
    stripFinalNewline: false,
    cleanup: false, // the job guard sees the controller's death by itself
    ...(options.abort ? { cancelSignal: options.abort } : {}),
  });
  const { on_output } = options;
  if (on_output) for (const stream of [job.stdout, job.stderr]) stream.on("data", on_output);
  const report = read_report(job.readable({ from: "fd3" }));
  // Only a job guard that is stopped, or whose /proc hangs, is late by so much; outer kills what it leaves.
  const until_ms = Number((options.deadline_ns - options.now_ns()) / 1_000_000n);
  let tell_killed: (result: JobResult) => void = () => {};
  const killed = new Promise<JobResult>((resolve) => (tell_killed = resolve));
  const nothing = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  const late = setTimeout(
    () => {
      job.kill("SIGKILL");
      setTimeout(() => tell_killed({ end: { how: "killed", why: "guard" }, ...nothing }), left_ms);
    },
    Math.max(0, until_ms) + stopped_ms,
  );
  const undead = report.undead.then((end) => {
    clearTimeout(late); // it is alive and at work: killing it would only lose the report
    return { end, ...nothing };
  });
  const ended = job.then(async ({ stdout, stderr }) => {
    clearTimeout(late);
    return { end: await report.end, stdout: Buffer.from(stdout), stderr: Buffer.from(stderr) };
  });
  return Promise.race([undead, ended, killed]);
}

function page_at(page: boolean | number): "inherit" | "ignore" | 4 {
  if (typeof page === "boolean") return page ? "inherit" : "ignore";
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- execa's type ends at 9, execa itself doesn't
  return page as 4;
}

/** The job guard's frames: how it ended, and separately the moment at which it says that something can't be killed. */
function read_report(stream: AsyncIterable<Uint8Array>): { end: Promise<JobEnd>; undead: Promise<JobEnd> } {
  let tell_undead: (end: JobEnd) => void = () => {};
  const undead = new Promise<JobEnd>((resolve) => (tell_undead = resolve));
  async function read(): Promise<JobEnd> {
    const decoder = new Decoder();
    let end: JobEnd = { how: "killed", why: "guard" }; // unless it says otherwise, the job guard was killed itself
    try {
      for await (const chunk of stream) {
        for (const event of decoder.push(chunk)) {
          if (event.event === "killing" && event.why !== "main_ended") {
            end = { how: "killed", why: event.why === "order" ? "order" : "deadline" };
          } else if (event.event === "exited" && end.how === "killed" && end.why === "guard") {
            end = { how: event.how, value: event.value };
          } else if (event.event === "undead") {
            tell_undead({ how: "undead", pid: event.pid, state: event.state, since_ms: event.since_ms });
          }
        }
      }
    } catch (error) {
      if (error instanceof FrameError) throw error;
    }
    return end;
  }
  return { end: read(), undead };
}

/** The guard's binary: beside the bundle, or in dist/ when the sources run. A bundle has no import.meta. */
export function guard_path(): string {
  const script = realpathSync(process.argv[1] ?? ".");
  const folder = dirname(script);
  return script.endsWith(".cjs")
    ? join(folder, "leasehold")
    : join(import.meta.dirname, "../../dist/leasehold");
}
