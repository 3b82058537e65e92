// docs/profiles, and what `leasehold config profile` prints.

import { type ProfileName, profile_names, profiles } from "./all.ts";
import type { Profile } from "./profile.ts";

/** The list, as docs/profiles/README.md. */
export function profiles_markdown(): string {
  const rows = profile_names.map((name) => {
    const { app, options, run }: Profile = profiles[name];
    const { "stop-signal": signal = "", "stop-timeout": timeout = "", ready = "" } = options;
    return `| [${name}](${name}.md) | ${app} | ${signal} ${timeout} | ${ready === "" ? "" : `\`${ready}\``} | ${run === null ? (name === "generic" ? "–" : "no") : "yes"} |`;
  });
  return `${head}\n| profile | app | stop | ready | real server run here |\n|---|---|---|---|---|\n${rows.join("\n")}\n${foot}`;
}

/** One of them, as docs/profiles/NAME.md. */
export function profile_markdown(name: ProfileName): string {
  const { app, options, data, left, dangers, network, notes, sources, run }: Profile = profiles[name];
  const section = (title: string, lines: readonly string[]): string =>
    lines.length === 0 ? "" : `\n## ${title}\n\n${lines.join("\n")}\n`;
  const given = Object.entries(options).map(([option, value]) => `- \`${option}: ${value}\``);
  const of_data = data
    ? [
        `- Its place: \`--data\`, else ${data.flags.map((flag) => `\`${flag}\``).join(", ")} in the command, else \`${data.image}\`, as in the official image.`,
        `- Initialised when ${data.markers.map((marker) => `\`${marker}\``).join(" or ")} is there.`,
        ...(data.own_directory === undefined
          ? []
          : [
              `- Not the volume itself, but a directory on it: ${data.own_directory}, and \`.leasehold\` lies there.`,
            ]),
        ...(data.stale.length === 0
          ? []
          : [
              `- Removed when stale: ${data.stale.map((file) => `\`${file}\``).join(", ")}. Only under the lock, before the start, and only when the process that it names doesn't run here or is leasehold's own; each removal is a line in the log.`,
            ]),
        ...(data.version
          ? [
              `- Refused when it is of a newer version: \`${data.version.files.join("` or `")}\` beside \`${data.version.variable}\`, which the official image sets.`,
            ]
          : []),
        ...left.map(({ file, why }) => `- Left alone: ${file}; ${why}.`),
      ]
    : [];
  const warned = [
    ...dangers.map(
      ({ setting, values, where, costs }) =>
        `| ${setting} | ${values.map((value) => (value === "" ? "given" : value)).join(", ")} | ${where === "network" ? "on network storage: " : ""}${costs} |`,
    ),
  ];
  const table =
    warned.length === 0 ? [] : ["| setting | value | what it costs |", "|---|---|---|", ...warned];
  const on_network =
    network === null ? [] : [`${warned.length === 0 ? "" : "\n"}On network storage: ${network}.`];
  return [
    `# ${app}: \`--profile ${name}\`\n`,
    section("Options that it gives", given),
    section("The data directory", of_data),
    section("Warned of", [...table, ...on_network]),
    section(
      "To know",
      notes.map((note) => `- ${note}`),
    ),
    name === "generic"
      ? ""
      : section("What was run", [run === null ? "Not run against the real server here." : `${run}.`]),
    section(
      "Sources",
      sources.map(({ says, url }) => `- <${url}>: ${says}.`),
    ),
  ].join("");
}

const head = `# Profiles

What people must know about their app, by its name: \`--profile postgres\`. A profile gives options as if they had been written
down (every other place beats it: flag, variable, file), and has its app's data directory looked at under the lock, before each start:

- what is in it: another app's data is refused, exit code 74, and so is the volume itself where the app wants a directory of its own;
- lock files that nobody holds are removed, with a line in the log;
- settings that may cost acknowledged writes are warned of, each start anew.

\`leasehold config show --profile postgres\` shows what is in effect and where it came from; \`leasehold config profile NAME\` prints these
pages. Data that a profile can't find (a directory from the environment or a configuration file) needs \`--data\`.
`;
const foot = `
Where it says no, the profile's facts are from the sources that its page names, and its check was run against a stand-in that speaks the
protocol. These pages are made from \`src/config/profiles\` by \`leasehold config profile [NAME]\`.
`;
