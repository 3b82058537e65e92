import type { Settings } from "../config/load.ts";

/** Where a command that ends by itself writes: results to standard output, warnings to standard error. */
export type Terminal = { write: (text: string) => void; warn: (sentence: string) => void };

export function warn_all({ warn }: Terminal, { warnings }: Pick<Settings, "warnings">): void {
  for (const sentence of warnings) warn(sentence);
}
