import { realpathSync } from "node:fs";
import { Socket } from "node:net";
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

/** Of CLOCK_BOOTTIME: thirty years after the machine's start. */
const never_ns = 10n ** 18n;

/** How long after its deadline a job guard that said nothing is taken for stopped. What can't be killed it reports after a second. */
const stopped_ms = 2000;

/** How long the pipes of a job guard that was killed may stay open: what it leaves may hold them for ever. */
const left_ms = 500;

/** execa is a fifth of the whole start, and most never run a job. Whoever is going to run one loads it before. */
export const load_jobs = async () => import("execa");

/** Runs one command under a job guard (frames.md). Never rejects for what the command does. */
export async function run_job(options: JobOptions): Promise<JobResult> {
  const { on_output, abort, deadline_ns, now_ns, input = Buffer.alloc(0) } = options;
  const { execa } = await load_jobs();
  const job = execa(options.guard ?? guard_path(), job_arguments(options), {
    ...job_settings,
    stdio: ["pipe", "pipe", "pipe", "pipe", page_at(options.page)],
    input: typeof input === "string" ? Buffer.from(input) : input,
    maxBuffer: output_max_bytes,
    ...(abort ? { cancelSignal: abort } : {}),
  });
  if (on_output) for (const stream of [job.stdout, job.stderr]) stream.on("data", on_output);
  const report = read_report(job.readable({ from: "fd3" }));
  let output = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  const ended = job.then(({ stdout, stderr }) => {
    output = { stdout: Buffer.from(stdout), stderr: Buffer.from(stderr) };
    return report.end;
  });
  const until_ms = Number((deadline_ns - now_ns()) / 1_000_000n);
  const end = await end_of({ ended, undead: report.undead, kill: () => void job.kill("SIGKILL") }, until_ms);
  return { end, ...output };
}

/** A command that stays, and is asked by its standard input for what it answers on its standard output. */
export type Service = {
  ask: (bytes: Uint8Array) => void;
  /** Resolves when it has ended, by itself or not. */
  ended: Promise<JobEnd>;
  /** Ends it now. Resolves as run_job() does, when it has ended or can't be killed. */
  end: () => Promise<JobEnd>;
};

/** No deadline of its own: whoever asks sets the limit. Ends with the controller, or its tenure. It keeps nobody's event loop alive. */
export async function start_service(
  options: Pick<JobOptions, "command" | "tenure" | "page" | "guard">,
  on_answer: (chunk: Buffer) => void,
): Promise<Service> {
  const { execa } = await load_jobs();
  const args = job_arguments({ ...options, deadline_ns: never_ns, grace_ms: 0 });
  const job = execa(options.guard ?? guard_path(), args, {
    ...job_settings,
    stdio: ["pipe", "pipe", "ignore", "pipe", page_at(options.page)],
    buffer: false,
  });
  const { stdin, stdout } = job;
  stdin.on("error", () => {}); // its end tells
  stdout.on("data", on_answer);
  const report = read_report(job.readable({ from: "fd3" }));
  const ended = job.then(() => report.end);
  job.nodeChildProcess.unref();
  // Each is a pipe, which Node makes a socket of; where no process can be started execa puts other streams in their places.
  for (const pipe of [stdin, stdout, job.stdio[3]]) if (pipe instanceof Socket) pipe.unref();
  return {
    ask: (bytes) => void stdin.write(bytes),
    ended,
    end: () => {
      job.kill("SIGTERM");
      return end_of({ ended, undead: report.undead, kill: () => void job.kill("SIGKILL") }, 0);
    },
  };
}

/** What every job is started with. */
const job_settings = {
  encoding: "buffer",
  reject: false,
  stripFinalNewline: false,
  cleanup: false, // the job guard sees the controller's death by itself
  forceKillAfterDelay: false, // and keeps the grace
} as const;

function job_arguments(options: Omit<JobOptions, "now_ns">): string[] {
  const { deadline_ns, tenure, app_env = false, grace_ms, set = {}, unset = [] } = options;
  return [
    "job",
    ...["--deadline", String(deadline_ns)],
    ...(tenure === undefined ? [] : ["--tenure", String(tenure)]),
    ...(grace_ms === undefined ? [] : ["--grace", String(grace_ms)]),
    ...(app_env ? ["--app-env"] : []),
    ...unset.flatMap((name) => ["--unset", name]),
    ...Object.entries(set).flatMap(([name, value]) => ["--set", `${name}=${value}`]),
    "--",
    ...options.command,
  ];
}

type Ending = { ended: Promise<JobEnd>; undead: Promise<JobEnd>; kill: () => void };

/** until_ms: when its end is due. Only a job guard that is stopped, or whose /proc hangs, is late by so much; outer kills what it leaves. */
function end_of({ ended, undead, kill }: Ending, until_ms: number): Promise<JobEnd> {
  let tell_killed: (end: JobEnd) => void = () => {};
  const killed = new Promise<JobEnd>((resolve) => (tell_killed = resolve));
  const late = setTimeout(
    () => {
      kill();
      setTimeout(() => tell_killed({ how: "killed", why: "guard" }), left_ms);
    },
    Math.max(0, until_ms) + stopped_ms,
  );
  // What can't be killed: its job guard is alive and at work, and killing it would only lose the report.
  return Promise.race([ended, undead, killed]).finally(() => clearTimeout(late));
}

function page_at(page: boolean | number = false): "inherit" | "ignore" | 4 {
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
