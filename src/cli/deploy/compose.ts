// `explain --compose FILE`: the services of a Docker compose file.

import { ConfigError } from "../../errors.ts";
import { quoted } from "../../config/quoted.ts";
import { stop_budget } from "../budget.ts";
import {
  type Finding,
  fits,
  grace,
  list,
  type Place,
  text,
  texts,
  type Tree,
  tree,
  wrong,
} from "./finding.ts";

/** By default. */
const grace_s = 10;

export function compose_places(document: unknown): Place[] {
  return Object.entries(tree(tree(document).services)).map(([name, value]): Place => {
    const service = tree(value);
    return {
      where: `service ${name}`,
      command: [...words(service.entrypoint), ...words(service.command)],
      environment: environment_of(service.environment),
      node: `${name}-0`,
      judge: (settings) => [
        grace(
          "stop_grace_period",
          { given_s: seconds(service.stop_grace_period, name), default_s: grace_s },
          stop_budget(settings).needed_s,
        ),
        ...signals(service),
        ...restarts(service),
        ...(service.init === true
          ? [
              wrong(
                "init: true makes another program the first process",
                "leave it out: leasehold is one, and reaps",
              ),
            ]
          : []),
      ],
    };
  });
}

function signals({ stop_signal }: Tree): Finding[] {
  const signal = text(stop_signal);
  return signal === undefined || /^(SIG)?TERM$|^15$/.test(signal)
    ? []
    : [
        wrong(
          `stop_signal ${signal} goes to the app as it is, and leasehold knows of no stop`,
          "give SIGTERM here, and the app's signal as --stop-signal",
        ),
      ];
}

function restarts(service: Tree): Finding[] {
  const policy = text(service.restart) ?? text(tree(tree(service.deploy).restart_policy).condition) ?? "no";
  return policy === "no" || policy === "none"
    ? [wrong("after a loss leasehold ends with 80, and nobody starts it again", "give restart: always")]
    : [fits(`restart: ${policy}: who has lost the lock comes back as a standby`)];
}

/** "1m30s", "90s", "1500ms". */
function seconds(value: unknown, service: string): number | undefined {
  if (value === undefined || value === null) return undefined;
  const given = text(value) ?? "";
  const units: Readonly<Record<string, number>> = { h: 3600, m: 60, s: 1, ms: 1e-3, us: 1e-6 };
  const parts = [...given.matchAll(/(\d+(?:\.\d+)?)(h|ms|us|m|s)/g)];
  if (given === "" || parts.map(([whole]) => whole).join("") !== given)
    throw new ConfigError(
      `service ${service}: stop_grace_period is ${quoted(given)}, which is no duration`,
      given,
      "write e.g. 1m30s",
    );
  return parts.reduce((sum, [, amount = "0", unit = "s"]) => sum + Number(amount) * (units[unit] ?? 1), 0);
}

function environment_of(value: unknown): Record<string, string> {
  const entries = Array.isArray(value)
    ? texts(value).map((one): [string, string] => {
        const at = one.indexOf("=");
        return at < 0 ? [one, ""] : [one.slice(0, at), one.slice(at + 1)];
      })
    : Object.entries(tree(value)).flatMap(([name, one]) => {
        const known = text(one);
        return known === undefined ? [] : [[name, known] satisfies [string, string]];
      });
  // What only the shell of `docker compose` knows is left out.
  return Object.fromEntries(entries.filter(([, one]) => one !== "" && !/\$\{|\$[A-Za-z_]/.test(one)));
}

function words(value: unknown): string[] {
  if (Array.isArray(value)) return texts(list(value));
  const line = text(value) ?? "";
  return [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, bare]) => double ?? single ?? bare ?? "",
  );
}
