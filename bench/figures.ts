// Figures and their table.

export interface Line {
  readonly what: string;
  readonly figures: readonly [runs: string, least: string, median: string, p95: string, worst: string];
  readonly survivors: string;
  readonly reach: string;
  /** null: nothing was asked for. */
  readonly reached: boolean | null;
}

/** The smallest value that so large a part of them does not exceed. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? Number.NaN;
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);
export const worst = (values: readonly number[]): number => Math.max(...values);

/**
 * Of pairs' ratios: their geometric mean, for which it doesn't matter what is over what, and its standard error, which is how far the
 * mean may be off by chance.
 */
export function mean_ratio(ratios: readonly number[]): { mean: number; text: string } {
  const logs = ratios.map((ratio) => Math.log(ratio));
  const of = (values: readonly number[]): number => values.reduce((sum, one) => sum + one, 0) / values.length;
  const middle = of(logs);
  const spread = of(logs.map((log) => (log - middle) ** 2)) / (logs.length - 1);
  const mean = Math.exp(middle);
  const error = mean * Math.sqrt(spread);
  return { mean, text: `${mean.toFixed(4)} ± ${error.toFixed(4)}` };
}

/** A line about times in ms. */
export function times(
  what: string,
  values: readonly number[],
  rest: Pick<Line, "survivors" | "reach" | "reached">,
): Line {
  const figures = [0, 0.5, 0.95, 1].map((part) => `${quantile(values, part).toFixed(2)} ms`);
  const [least = "", middle = "", p95 = "", last = ""] = figures;
  return { what, figures: [`${values.length}`, least, middle, p95, last], ...rest };
}

export function table(lines: readonly Line[]): string {
  const rows = lines.map(({ what, figures, survivors, reach, reached }) => [
    what,
    ...figures,
    survivors,
    reach,
    reached === null ? "–" : reached ? "yes" : "**no**",
  ]);
  const head = ["what", "runs", "least", "median", "p95", "worst", "survivors", "reach", "reached"];
  return [head, head.map((_, i) => (i > 0 && i < 7 ? "--:" : "---")), ...rows]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
}
