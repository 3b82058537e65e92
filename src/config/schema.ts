import { environment_name, option, option_names, type OptionName, takes } from "./options.ts";

const duration = "^(0|[0-9]+(\\.[0-9]+)?(ms|s|m|h))$";

/** JSON Schema of the file, for editors and CI. What only a sum can tell is `config check`'s. */
export function json_schema(): object {
  const names = option_names.filter((name) => takes(name, "file"));
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "leasehold.yaml",
    type: "object",
    additionalProperties: false,
    properties: Object.fromEntries(names.map((name) => [name, property(name)])),
  };
}

function property(name: OptionName): object {
  const { kind, choices, meaning, default: value } = option(name);
  const description = `${meaning}${value === "" ? "" : ` (${value === "required" ? value : `default: ${value}`})`}`;
  switch (kind) {
    case "duration":
      return { description, type: "string", pattern: duration };
    case "choice":
      return { description, enum: choices };
    case "hook":
    case "volume": {
      const list = { type: "array", items: { type: "string" }, minItems: 1 };
      return { description, oneOf: [{ type: "string", minLength: 1 }, list] };
    }
    case "listen":
    case "number":
    case "signal":
      return { description, type: ["string", "integer"] };
    default:
      return { description, type: "string", minLength: 1 };
  }
}

/** docs/options.md. */
export function options_markdown(): string {
  const rows = option_names.map((name) => {
    const { placeholder = "", default: value, meaning, why } = option(name);
    const flag = takes(name, "flag") ? `\`--${name} ${placeholder}\`` : "";
    const places = [flag, `\`${environment_name(name)}\``].filter((place) => place !== "").join("<br>");
    return `| ${places} | ${value === "" ? "none" : value} | ${meaning}. ${why} |`;
  });
  return `${head}\n| option and variable | default | meaning |\n|---|---|---|\n${rows.join("\n")}\n`;
}

const head = `# Options

Every option is a flag, an environment variable, and a key of the YAML file that \`--config\` names: \`--loss-grace 5s\`,
\`LEASEHOLD_LOSS_GRACE=5s\`, \`loss-grace: 5s\`. Flags beat the environment, which beats the file. Unknown flags and keys are
errors that name the nearest known one; unknown variables warn. \`config\` can't stand in the file, and a password only in the
environment or in a file of its own.

A duration D needs a unit: \`250ms\`, \`1.5s\`, \`2m\`, \`1h\`; only \`0\` does without. A hook CMD is run by \`sh -c\`; in the file
it may be a list, which is run as it is: \`fence: [/usr/local/bin/fence, --off]\`. \`--volume\` may be given several times.

\`leasehold config check\` says what is wrong, \`config show\` what is in effect and where it came from, \`config schema\` gives a
JSON Schema of the file, and \`leasehold explain\` draws the durations. This table is made from
\`src/config/options.ts\` by \`leasehold config schema --format markdown\`.
`;
