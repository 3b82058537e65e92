import { constants } from "node:os";

/** What one operation of the probe did; frames.md, "The probe". */
export type ProbeResult = {
  /** The name of the error, such as ESTALE; undefined: it succeeded. */
  error: string | undefined;
  /** The system call that failed. */
  step: string | undefined;
  /** CLOCK_BOOTTIME, nanoseconds. */
  start_ns: bigint;
  end_ns: bigint;
  content: Buffer;
};

const names = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** The name of an errno, or E and its number. */
function errno_name(number: number): string {
  return names.get(number) ?? `E${number}`;
}

/**
 * Parses the probe's standard output. A cut or garbled rest is left out: those operations were not seen to be done. The
 * probe stops at the first failure, so there may be fewer results than operations.
 */
export function parse_probe(output: Buffer): ProbeResult[] {
  const results: ProbeResult[] = [];
  for (let at = 0; at < output.length;) {
    const end = output.indexOf("\n", at);
    const line = end < 0 ? "" : output.toString("latin1", at, end);
    const match = /^(\d+) (\d+) (\S+) (\d+) (\d+) (\d+)$/.exec(line);
    if (!match) return results;
    const [, index, error, step, start, stop, length] = match;
    const next = end + 1 + Number(length);
    if (Number(index) !== results.length || next > output.length) return results;
    results.push({
      error: error === "0" ? undefined : errno_name(Number(error)),
      step: step === "-" ? undefined : step,
      start_ns: BigInt(start ?? 0),
      end_ns: BigInt(stop ?? 0),
      content: output.subarray(end + 1, next),
    });
    at = next;
  }
  return results;
}

/** A file that `dir` found. error: why it couldn't be read. */
export type DirEntry = { name: string; error: string | undefined; content: Buffer };

/** What `dir` found; null: it is garbled. */
export function parse_dir(content: Buffer): DirEntry[] | null {
  const entries: DirEntry[] = [];
  for (let at = 0; at < content.length;) {
    const name_end = content.indexOf(0, at);
    const head_end = name_end < 0 ? -1 : content.indexOf(0, name_end + 1);
    const [, errno, length] = /^(\d+) (\d+)$/.exec(content.toString("latin1", name_end + 1, head_end)) ?? [];
    const next = head_end + 1 + Number(length);
    if (head_end < 0 || errno === undefined || next > content.length) return null;
    entries.push({
      name: content.toString("utf8", at, name_end),
      error: errno === "0" ? undefined : errno_name(Number(errno)),
      content: content.subarray(head_end + 1, next),
    });
    at = next;
  }
  return entries;
}
