// `explain --kubernetes|--marathon|--compose FILE`: what leasehold is told there, and whether the file leaves it the time and asks it the
// right things.

import { parseAllDocuments } from "yaml";
import type { Flags, Settings } from "../../config/load.ts";
import { mismatch } from "../../config/profiles/judge.ts";
import { quoted } from "../../config/quoted.ts";
import { read_file } from "../../config/read-file.ts";
import { ms } from "../../core/timing.ts";
import { ConfigError } from "../../errors.ts";
import { stop_budget } from "../budget.ts";
import { compose_places } from "./compose.ts";
import { type Finding, type Place, wrong } from "./finding.ts";
import { kubernetes_places } from "./kubernetes.ts";
import { marathon_places } from "./marathon.ts";
import { app_of, runs_leasehold, settings_of } from "./settings.ts";

export const orchestrators = ["kubernetes", "marathon", "compose"] as const;
type Orchestrator = (typeof orchestrators)[number];

const max_bytes = 1_000_000;

const places: Readonly<Record<Orchestrator, (documents: readonly unknown[]) => Place[]>> = {
  kubernetes: kubernetes_places,
  marathon: ([document]) => marathon_places(document),
  compose: ([document]) => compose_places(document),
};

/** The lines to print, and how many findings are wrong. flags: of explain itself; the file's own beat them. */
export async function explain_file(
  orchestrator: Orchestrator,
  path: string,
  flags: Flags,
): Promise<{ lines: string[]; wrong: number }> {
  const all = places[orchestrator](documents_of(path));
  const ours = all.filter(runs_leasehold);
  if (ours.length === 0) {
    const what =
      all.length === 0 ? "nothing that could run leasehold is in it" : "nothing in it runs leasehold";
    throw new ConfigError(
      `${quoted(path)}: ${what}`,
      path,
      "it is known by leasehold in the command, or by LEASEHOLD_ variables",
    );
  }
  const lines: string[] = [];
  let count = 0;
  for (const place of ours) {
    const { settings, unread } = await settings_of(place, flags);
    const { needed_ms, parts } = stop_budget(settings);
    lines.push(`${place.where}: a requested stop takes at most ${ms(needed_ms)}: ${parts}.`);
    if (unread !== null)
      lines.push(
        `  note   its configuration file ${quoted(unread)} isn't read here: give what it says, e.g. --stop-timeout`,
      );
    for (const finding of [...of_app(place, settings), ...place.judge(settings)]) {
      if (finding.wrong) count++;
      lines.push(`  ${finding.wrong ? "wrong" : "fits "}  ${finding.sentence}.`);
    }
  }
  return { lines, wrong: count };
}

function of_app(place: Place, { profile }: Settings): Finding[] {
  const command = app_of(place);
  if (command?.length === 0)
    return [
      wrong(
        "leasehold is given no command there, and the image's own counts no more once the entry point is replaced",
        "give entry point and command of the image after --",
      ),
    ];
  const other = command === null || profile === null ? null : mismatch(profile, command);
  return other === null ? [] : [{ wrong: true, sentence: other }];
}

/** JSON is YAML, too. */
function documents_of(path: string): unknown[] {
  const parsed = parseAllDocuments(read_file(path, "the file", max_bytes), {
    prettyErrors: false,
    merge: true,
    logLevel: "error",
  });
  return parsed.map((document) => {
    const [error] = document.errors;
    if (error)
      throw new ConfigError(
        `${quoted(path)} is no YAML: ${error.message.split("\n")[0] ?? ""}`,
        path,
        "mend it there",
      );
    return document.toJS({ maxAliasCount: 100 }) as unknown;
  });
}
