// Block devices come and go with the lock: attach → fsck → mount, and back. Each step is a job under the tenure, so none of
// them outlives it.

import type { AttachPlan } from "../config/attach.ts";
import { quoted } from "../config/quoted.ts";
import type { Time } from "../core/time.ts";
import { ms_between, ms_to_ns } from "../core/time.ts";
import { ms } from "../core/timing.ts";
import { type JobEnd, type JobOptions, run_job } from "../guard/job.ts";
import { fsck_command, refusal_of } from "./fsck.ts";
import { Lines } from "./lines.ts";
import type { Mount } from "./mountinfo.ts";
import { read_mounts } from "./probing.ts";

export type Step = "attach" | "fsck" | "mount" | "unmount" | "detach";

/** alive: something of a step can't be killed. */
export type StepResult = { failure: string | null; alive: boolean };

export type AttachOptions = {
  plan: AttachPlan;
  time: Time;
  /** What a step prints, and how far fsck is. */
  on_line: (step: Step, line: string) => void;
  unset?: readonly string[];
  set?: Readonly<Record<string, string>>;
  guard?: string;
};

/** Under which tenure the steps run, and whether with the app's environment, which needs the guard's page. */
export type StepJob = Pick<JobOptions, "tenure" | "page" | "app_env" | "abort">;

const done: StepResult = { failure: null, alive: false };

/** How often and for how long a mount that is still in use is tried again. */
const busy_ms = 250;
const busy_times = 20;

/** The device of one volume. It knows what it has brought, so that detach() takes away just that, and may be called again. */
export class Attachment {
  readonly #options: AttachOptions;
  #attached = false;
  #mounted = false;

  constructor(options: AttachOptions) {
    this.#options = options;
  }

  /** Brings it; when a step fails, what was done before it is undone in reverse. */
  async attach(job: StepJob): Promise<StepResult> {
    const { plan, on_line } = this.#options;
    if (this.#mount() !== undefined) {
      // Ours from an earlier run that was killed: the lock is ours now, and nothing of that run lives.
      on_line("unmount", `something is mounted at ${plan.path} already, it is taken away first`);
      const left = await this.take_away(job);
      if (left.failure !== null)
        return { ...left, failure: `what an earlier run has left there stays: ${left.failure}` };
    }
    const result = await this.#bring(job);
    if (result.failure === null || result.alive) return result;
    const undone = await this.detach(job);
    if (undone.failure === null) return result;
    return { failure: `${result.failure}; undoing it failed, too: ${undone.failure}`, alive: undone.alive };
  }

  /** Takes away what somebody else's attach() may have brought, who is dead. */
  take_away(job: StepJob): Promise<StepResult> {
    this.#mounted = true;
    this.#attached = this.#options.plan.attach !== null;
    return this.detach(job);
  }

  /** Takes away what attach() has brought: unmount, then detach. Nothing of it is lazy: what is in use stays, and is a failure. */
  async detach(job: StepJob): Promise<StepResult> {
    const { plan } = this.#options;
    if (this.#mounted) {
      const unmounted = await this.#unmount(job);
      if (unmounted.failure !== null) return unmounted;
      this.#mounted = false;
    }
    if (!this.#attached) return done;
    const detached = plan.detach === null ? done : await this.#run("detach", plan.detach, job);
    if (detached.failure === null) this.#attached = false;
    return detached;
  }

  async #bring(job: StepJob): Promise<StepResult> {
    const { plan, on_line } = this.#options;
    const { built_in, attach, path } = plan;
    if (attach) {
      this.#attached = true; // also when it fails: it may have done its work halfway
      const attached = await this.#run("attach", attach, job);
      if (attached.failure !== null) return attached;
    }
    const fsck = plan.fsck ?? (built_in && fsck_command(built_in));
    if (fsck) {
      const checked = await this.#run("fsck", fsck, job);
      if (checked.failure !== null) return checked;
    } else if (built_in) on_line("fsck", `none is needed: ${built_in.fstype} repairs itself at the mount`);
    const mount = plan.mount ?? (built_in && mount_command(built_in, path));
    if (!mount) return done;
    this.#mounted = true;
    const mounted = await this.#run("mount", mount, job);
    if (this.#mount() === undefined) {
      this.#mounted = false;
      const failure =
        mounted.failure ?? `mount: it said that all is well, but nothing is mounted at ${quoted(path)}`;
      return { ...mounted, failure };
    }
    return mounted;
  }

  async #unmount(job: StepJob): Promise<StepResult> {
    const { plan, time } = this.#options;
    const command = plan.unmount ?? ["umount", "--", plan.path];
    for (let turn = 1; ; turn++) {
      if (this.#mount() === undefined) return done;
      const result = await this.#run("unmount", command, job);
      if (this.#mount() === undefined) return done;
      if (result.alive) return result;
      if (turn === busy_times) {
        const failure = result.failure ?? "unmount: it said that all is well";
        return { ...result, failure: `${failure}; ${quoted(plan.path)} is still mounted` };
      }
      await new Promise<void>((resolve) => time.after(busy_ms, resolve));
    }
  }

  /** What is mounted just there. */
  #mount(): Mount | undefined {
    const { path } = this.#options.plan;
    return read_mounts().findLast(({ point }) => point === path);
  }

  async #run(step: Step, command: readonly string[], job: StepJob): Promise<StepResult> {
    const { plan, time, on_line, unset = [], set = {}, guard } = this.#options;
    const limit_ms = step === "fsck" ? plan.fsck_timeout_ms : plan.step_timeout_ms;
    const lines = new Lines(
      (line) => on_line(step, line),
      () => time.now_ns(),
    );
    const started_ns = time.now_ns();
    const { end } = await run_job({
      command,
      deadline_ns: started_ns + ms_to_ns(limit_ms),
      now_ns: () => time.now_ns(),
      ...job,
      unset,
      set: {
        ...set,
        LEASEHOLD_ATTACH_STEP: step,
        LEASEHOLD_ATTACH_PATH: plan.path,
        LEASEHOLD_ATTACH_DEVICE: plan.built_in?.device ?? "",
      },
      on_output: (chunk) => lines.push(chunk),
      ...(guard !== undefined && { guard }),
    });
    lines.end();
    if (step === "fsck" && end.how === "exit") {
      const refusal = refusal_of(end.value);
      if (refusal !== null) return { failure: `fsck: ${refusal}${said(lines)}`, alive: false };
      on_line(step, `done after ${ms(ms_between(started_ns, time.now_ns()))}`);
      return done;
    }
    if (end.how === "exit" && end.value === 0) return done;
    return {
      failure: `${step}: ${what_happened(end, command, limit_ms)}${said(lines)}`,
      alive: end.how === "undead",
    };
  }
}

function said({ last }: Lines): string {
  return last === undefined ? "" : `; it said: ${last.slice(0, 200)}`;
}

function what_happened(end: JobEnd, [program = ""]: readonly string[], limit_ms: number): string {
  switch (end.how) {
    case "exit":
      return `it ended with code ${end.value}`;
    case "signal":
      return `it ended by signal ${end.value}`;
    case "not_executed":
    case "not_forked":
      return `${program} can't be executed (errno ${end.value}); install it, or give the step a command of its own`;
    case "killed":
      return end.why === "deadline"
        ? `it was killed: it took longer than ${ms(limit_ms)}, or the lease had ended`
        : `it was killed (${end.why})`;
    case "undead":
      return `process ${end.pid} of it can't be killed (state ${end.state})`;
  }
}

function mount_command(
  { device, fstype, options }: NonNullable<AttachPlan["built_in"]>,
  path: string,
): readonly string[] {
  return ["mount", "-t", fstype, ...(options === null ? [] : ["-o", options]), "--", device, path];
}
