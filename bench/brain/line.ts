// One line of the brain's table.

import { median, quantile, worst } from "../figures.ts";

export type Who =
  | "leasehold, etcd"
  | "etcdctl lock"
  | "leasehold, ZooKeeper"
  | "kazoo wrapper"
  | "leasehold, file:"
  | "leasehold"
  | "tar and zstd"
  | "node -e 0";

export interface Line {
  readonly what: string;
  readonly who: string;
  readonly figures: readonly [runs: string, least: string, median: string, p95: string, worst: string];
  readonly reach: string;
  /** null: nothing was asked for, as of those beside us. */
  readonly reached: boolean | null;
}

export interface Row {
  readonly name: string;
  /** runs: how many, given those of a full measurement. */
  readonly measure: (runs: (full: number) => number) => Promise<{ lines: Line[]; notes?: string[] }>;
}

/** Several at a time, each with a lock of its own: they wait for leases most of the time. */
export async function in_parallel<T>(count: number, at_once: number, one: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let left = count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) results.push(await one());
  };
  await Promise.all(Array.from({ length: Math.min(at_once, count) }, worker));
  return results;
}

/**
 * Times in ms. null: it didn't come while we watched, which is worse than any that did; negative: it came too early, and
 * both lived. limit: of the values, and its words.
 */
export function times(
  what: string,
  who: string,
  values: readonly (number | null)[],
  limit?: { reach: string; holds: (values: readonly number[]) => boolean },
): Line {
  const numbers = values.map((value) => value ?? Number.POSITIVE_INFINITY);
  const text = (value: number): string => {
    if (value < 0) return "both live";
    return Number.isFinite(value) ? `${value.toFixed(value < 1000 ? 1 : 0)} ms` : "never";
  };
  const [least = "", middle = "", p95 = "", last = ""] = [0, 0.5, 0.95, 1].map((part) =>
    numbers.length === 0 ? "" : text(quantile(numbers, part)),
  );
  return {
    what,
    who,
    figures: [`${values.length}`, least, middle, p95, last],
    reach: limit?.reach ?? "–",
    reached: limit && numbers.length > 0 ? limit.holds(numbers) : null,
  };
}

/** One figure. */
export function single(
  what: string,
  who: string,
  runs: number,
  value: string,
  rest: Partial<Pick<Line, "reach" | "reached">> = {},
): Line {
  return { what, who, figures: [`${runs}`, "", value, "", ""], reach: "–", reached: null, ...rest };
}

export const median_at_most = (limit_ms: number): NonNullable<Parameters<typeof times>[3]> => ({
  reach: `median ≤ ${limit_ms} ms`,
  holds: (values) => Math.min(...values) >= 0 && median(values) <= limit_ms,
});
export const worst_at_most = (
  limit_ms: number,
  reach = `worst ≤ ${limit_ms} ms`,
): NonNullable<Parameters<typeof times>[3]> => ({
  reach,
  holds: (values) => Math.min(...values) >= 0 && worst(values) <= limit_ms,
});

export function table(lines: readonly Line[]): string {
  const rows = lines.map(({ what, who, figures, reach, reached }) => [
    what,
    who,
    ...figures,
    reach,
    reached === null ? "–" : reached ? "yes" : "**no**",
  ]);
  const head = ["what", "who", "runs", "least", "median", "p95", "worst", "reach", "reached"];
  return [head, head.map((_, i) => (i > 1 && i < 7 ? "--:" : "---")), ...rows]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
}
