import type { Prober } from "./prober.ts";
import { guard_path, type JobEnd, type JobOptions, run_job } from "./job.ts";
import { parse_probe, type ProbeResult } from "./probe-result.ts";

/** One file operation on a volume; frames.md says what each does. Content is at most 1 MiB. */
export type Operation =
  | { do: "fs" | "mkdir" | "unlink" | "sync"; path: string }
  | { do: "read" | "list" | "dir"; path: string; max: number }
  | { do: "write" | "check"; path: string; content: Uint8Array }
  | { do: "create"; temporary: string; path: string; content: Uint8Array };

/** by: asks one that stays instead of starting a job. */
export type ProbeOptions = Omit<JobOptions, "command" | "input" | "set" | "unset" | "app_env"> & {
  by?: Prober | undefined;
};
export type Probed = { end: JobEnd; results: ProbeResult[] };

/**
 * Runs operations in order in a job of their own, until one fails. No file operation on a volume runs in the controller: a
 * hung one would stay in Node's thread pool for ever. results may be shorter than operations: `end` says why.
 */
export async function run_probe(
  operations: readonly Operation[],
  { by, ...options }: ProbeOptions,
): Promise<Probed> {
  if (by) return by.run(operations, options);
  const guard = options.guard ?? guard_path();
  const command = [guard, "probe", ...operations.flatMap(words)];
  const { end, stdout } = await run_job({ ...options, guard, command, input: input_of(operations) });
  return { end, results: parse_probe(stdout) };
}

/** Of a request's line. */
export const line_max_bytes = 65_536;

export function line_of(operations: readonly Operation[]): Buffer {
  return Buffer.from(
    operations
      .flatMap(words)
      .map((word) => `${word}\0`)
      .join(""),
  );
}

/** What a probe that stays reads; frames.md, "The probe". */
export function request_of(number: number, operations: readonly Operation[]): Buffer {
  const line = line_of(operations);
  return Buffer.concat([Buffer.from(Uint32Array.of(number, line.length).buffer), line, input_of(operations)]);
}

function input_of(operations: readonly Operation[]): Buffer {
  return Buffer.concat(
    operations.map((operation) => ("content" in operation ? operation.content : Buffer.alloc(0))),
  );
}

function words(operation: Operation): string[] {
  switch (operation.do) {
    case "fs":
    case "mkdir":
    case "unlink":
    case "sync":
      return [operation.do, operation.path];
    case "read":
    case "list":
    case "dir":
      return [operation.do, operation.path, String(operation.max)];
    case "write":
    case "check":
      return [operation.do, operation.path, String(operation.content.length)];
    case "create":
      return [operation.do, operation.temporary, operation.path, String(operation.content.length)];
  }
}
