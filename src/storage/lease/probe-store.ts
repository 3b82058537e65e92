import { join } from "node:path";
import type { Time } from "../../core/time.ts";
import { ms_to_ns } from "../../core/time.ts";
import { ms } from "../../core/timing.ts";
import { LockRefused, LockUnknown } from "../../errors.ts";
import type { JobEnd } from "../../guard/job.ts";
import { type Operation, run_probe } from "../../guard/probe.ts";
import { Prober } from "../../guard/prober.ts";
import { parse_dir, type ProbeResult } from "../../guard/probe-result.ts";
import { leasehold_folder } from "../identity.ts";
import type { Pass, View, VolumeStore, Write } from "./store.ts";

export type ProbeStoreOptions = {
  /** The volume's. */
  path: string;
  time: Pick<Time, "now_ns">;
  /** How long one pass may take. */
  limit_ms: number;
  guard?: string;
  /** By one probe that stays, until it is closed; else each pass has a job of its own. */
  stays?: boolean;
};

const limit_most_ms = 3000;

/** How long a pass may take: a disk under load syncs for seconds, and the next beat is due after a sixth of a lease. */
export function limit_of({ ttl_ms, attempt_ms }: { ttl_ms: number; attempt_ms: number }): number {
  return Math.max(attempt_ms, Math.min(limit_most_ms, ttl_ms / 6));
}

/** More are not read: somebody else's, or thousands of contenders. */
const files_max = 1000;

/** The volume through probes: one pass at a time, and no file operation in this process. */
export class ProbeStore implements VolumeStore {
  readonly #options: ProbeStoreOptions;
  readonly #folder: string;
  /** Processes of earlier passes that can't be killed. What they write may still come. */
  #undead: number[] = [];
  readonly #prober: Prober | undefined;

  constructor(options: ProbeStoreOptions) {
    const { guard, stays = false } = options;
    this.#options = options;
    this.#prober = stays ? new Prober({ ...(guard !== undefined && { guard }) }) : undefined;
    this.#folder = join(options.path, leasehold_folder);
  }

  async pass(writes: readonly Write[]): Promise<Pass> {
    this.#undead = this.#undead.filter(is_there);
    const [stuck] = this.#undead;
    if (stuck !== undefined) throw this.#unknown(`process ${stuck} hangs on it and can't be killed`);
    const { time, limit_ms, guard } = this.#options;
    const operations: Operation[] = [
      ...writes.map((write) => this.#operation(write)),
      { do: "dir", path: this.#folder, max: files_max },
    ];
    const deadline_ns = time.now_ns() + ms_to_ns(limit_ms);
    const kind = { by: this.#prober, ...(guard !== undefined && { guard }) };
    const options = { deadline_ns, now_ns: () => time.now_ns(), ...kind };
    const { end, results } = await run_probe(operations, options);
    if (end.how === "undead") this.#undead.push(end.pid);
    const failed = results.findIndex(({ error }) => error !== undefined);
    const result = results[failed];
    if (result) return this.#failure(writes, failed, results, result);
    const view = results[writes.length];
    if (!view) throw this.#unknown(why(end, limit_ms));
    return { written_ns: results.slice(0, -1).map(({ end_ns }) => end_ns), view: this.#view(view) };
  }

  close(): void {
    this.#prober?.close();
  }

  async #failure(
    writes: readonly Write[],
    at: number,
    results: ProbeResult[],
    { error, step }: ProbeResult,
  ): Promise<Pass> {
    const write = writes[at];
    if (write?.do === "create" && error === "EEXIST" && step === "link") return { exists: write.name };
    if (write?.do === "unlink" && error === "ENOENT") {
      const rest = await this.pass(writes.slice(at + 1));
      if ("exists" in rest) return rest;
      const written_ns = [...results.map(({ end_ns }) => end_ns), ...rest.written_ns];
      return { ...rest, written_ns };
    }
    if (!write && error === "ENOENT" && results[at])
      return { written_ns: [], view: { ...stamps(results[at]), files: [] } };
    if (error === "EOVERFLOW" && step === "limit")
      throw new LockRefused(
        `${this.#folder} holds more than ${files_max} files, or more than 1 MiB`,
        this.#folder,
        "remove what isn't leasehold's from it, with every contender stopped",
      );
    throw this.#unknown(`${write ? `${write.do} ${write.name}` : "its listing"} failed: ${error} in ${step}`);
  }

  #view(result: ProbeResult): View {
    const files = parse_dir(result.content);
    if (!files) throw this.#unknown("the probe's answer is garbled");
    return { ...stamps(result), files };
  }

  #operation(write: Write): Operation {
    const path = join(this.#folder, write.name);
    switch (write.do) {
      case "create":
        return { do: "create", path, temporary: join(this.#folder, write.temporary), content: write.content };
      case "write":
        return { do: "write", path, content: write.content };
      case "unlink":
        return { do: "unlink", path };
    }
  }

  #unknown(what: string): LockUnknown {
    return new LockUnknown(`the volume at ${this.#options.path}: ${what}`, what, "trying again");
  }
}

function stamps({ start_ns, end_ns }: ProbeResult): { start_ns: bigint; end_ns: bigint } {
  return { start_ns, end_ns };
}

function why(end: JobEnd, limit_ms: number): string {
  switch (end.how) {
    case "killed":
      return end.why === "deadline" ? `no answer within ${ms(limit_ms)}` : "the probe was killed";
    case "undead":
      return `no answer within ${ms(limit_ms)}, and process ${end.pid} hangs on it (state ${end.state})`;
    default:
      return `the probe ended (${end.how} ${end.value})`;
  }
}

function is_there(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
