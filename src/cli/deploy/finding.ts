// What is said of a file that an orchestrator reads, and what all of them have in common.

import { ConfigError } from "../../errors.ts";
import { quoted } from "../../config/quoted.ts";
import type { Settings } from "../../config/load.ts";

/** One sentence; of what is wrong it ends with the remedy. */
export type Finding = { wrong: boolean; sentence: string };

/** A container or task of the file that runs leasehold. */
export type Place = {
  /** As the file names it, e.g. "StatefulSet mysql, container mysql". */
  where: string;
  /** Its whole command; empty: the image's. */
  command: readonly string[];
  /** Variables whose value stands in the file. */
  environment: Readonly<Record<string, string>>;
  /** What its first copy would be called. */
  node: string;
  /** With what leasehold is told there. */
  judge: (settings: Settings) => Finding[];
};

export const fits = (sentence: string): Finding => ({ wrong: false, sentence });
export const wrong = (sentence: string, remedy: string): Finding => ({
  wrong: true,
  sentence: `${sentence}; ${remedy}`,
});

/** Time between an orchestrator's stop signal and its SIGKILL. */
export function grace(
  name: string,
  { given_s, default_s }: { given_s: number | undefined; default_s: number },
  needed_s: number,
): Finding {
  const is = `${name} is ${given_s ?? default_s} s${given_s === undefined ? " by default" : ""}`;
  return (given_s ?? default_s) >= needed_s
    ? fits(`${is}: a stop of at most ${needed_s} s fits`)
    : wrong(
        `${is}, and a stop takes up to ${needed_s} s: the app would be killed, and the end be unclean`,
        `give ${needed_s}`,
      );
}

/** A probe that kills: only /livez is answered by a standby as by the holder. */
export function killing_probe(name: string, path: string | null): Finding {
  if (path === "/livez") return fits(`${name} asks /livez, which a standby answers, too`);
  const remedy = "ask /livez at the port of --listen";
  return path === "/readyz"
    ? wrong(
        `${name} asks /readyz, which a standby answers with 503: it would be killed again and again`,
        remedy,
      )
    : wrong(
        `${name} asks the app, which doesn't run in a standby: it would be killed again and again`,
        remedy,
      );
}

// ---- reading what others have written ----

export type Tree = Readonly<Record<string, unknown>>;

export const tree = (value: unknown): Tree =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
export const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
export const text = (value: unknown): string | undefined =>
  typeof value === "string" ? value : typeof value === "number" ? String(value) : undefined;
export const texts = (value: unknown): string[] => list(value).flatMap((one) => text(one) ?? []);
export function number(value: unknown, what: string): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number" && value >= 0) return value;
  throw new ConfigError(
    `${what} is ${quoted(JSON.stringify(value))}, which is no number`,
    what,
    "write e.g. 60",
  );
}
