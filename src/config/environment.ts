import { split_fields } from "./fields.ts";
import { nearest } from "./nearest.ts";
import { environment_name, option, option_names, type OptionName, takes } from "./options.ts";
import { quoted } from "./quoted.ts";
import type { Raw } from "./values.ts";

export type Environment = Readonly<Record<string, string | undefined>>;
export type FromEnvironment = {
  entries: { name: OptionName; raw: Raw; where: string }[];
  /** A sentence for each variable that looks like ours and isn't. */
  warnings: string[];
};

/** What leasehold itself gives to the app and to hooks: a leasehold that runs there is not configured by it. */
const given =
  /^LEASEHOLD_(TOKEN|LOCK_TOKEN|INSTANCE|SLOT|ATTACH_.+|FENCE_.+|HOOK_.+|APP_.+|LAST_.+|BACKUP_(ID|SOURCE|TARGET)|RESTORE_(SOURCE|TARGET)|TARGET_TIME)$/;

/** Kubernetes gives every pod those of each service in its namespace; a service's name may begin with "leasehold". */
const service_link =
  /^LEASEHOLD_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$/;

/** The options among the variables. An unknown one warns only: it may be another version's, and the start must not fail for it. */
export function read_environment(environment: Environment): FromEnvironment {
  const names = new Map(
    option_names.filter((name) => takes(name, "environment")).map((n) => [environment_name(n), n]),
  );
  const result: FromEnvironment = { entries: [], warnings: [] };
  for (const [variable, raw] of Object.entries(environment)) {
    if (raw === undefined || !variable.startsWith("LEASEHOLD_")) continue;
    const name = names.get(variable);
    if (name !== undefined) {
      const several = option(name).kind === "volume" && raw.trim() !== "";
      result.entries.push({ name, raw: several ? split_fields(raw, ";") : raw, where: variable });
    } else if (!given.test(variable) && !service_link.test(variable))
      result.warnings.push(warning(variable, [...names.keys()]));
  }
  return result;
}

function warning(variable: string, known: readonly string[]): string {
  const near = nearest(
    variable.slice("LEASEHOLD_".length),
    known.map((name) => name.slice("LEASEHOLD_".length)),
  );
  const remedy = near ? `did you mean LEASEHOLD_${near}?` : "see docs/options.md";
  return `the variable ${quoted(variable).slice(1, -1)} is no option and is ignored; ${remedy}`;
}
