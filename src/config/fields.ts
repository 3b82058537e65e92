// How the text of --volume is taken apart: fields between commas, a backslash before what is meant as it stands, and
// templates. A template's value is put in last, so that nothing in it is taken for a comma or another template.

import { ConfigError } from "../errors.ts";
import { nearest } from "./nearest.ts";
import { quoted } from "./quoted.ts";

/** What {node}, {slot} and {env:NAME} stand for. */
export type Templates = { node: string; env: Readonly<Record<string, string | undefined>> };

/** "a,b\,c" → ["a", "b\,c"]: cut at each separator that has no backslash before it. */
export function split_fields(text: string, separator: string): string[] {
  const fields = [""];
  for (const [part] of text.matchAll(/\\[^]|[^]/g)) {
    if (part === separator) fields.push("");
    else fields.push((fields.pop() ?? "") + part);
  }
  return fields;
}

/** A field as it is meant: escapes taken out, templates filled in. */
export function expand(field: string, { node, env }: Templates, where: string): string {
  const refuse = (what: string, remedy: string): never => {
    throw new ConfigError(`${where} ${what}`, field, remedy);
  };
  return field.replace(
    /\\([^])|\{([^}]*)(\}?)|\\$/g,
    (whole, escaped?: string, name?: string, end?: string) => {
      if (escaped !== undefined) return escaped;
      if (name === undefined) return refuse("ends with a backslash", "write two to mean one");
      if (end === "")
        return refuse(`has ${quoted(whole)} without its }`, "close it, or write \\{ to mean a brace");
      if (name === "node") return node;
      if (name === "slot") {
        const [slot] = /\d+$/.exec(node) ?? [];
        return (
          slot ??
          refuse(`has {slot}, and the node ${quoted(node)} ends with no number`, "give --node, e.g. db-0")
        );
      }
      if (name.startsWith("env:")) {
        const value = env[name.slice(4)];
        return value ?? refuse(`has {${quoted(name).slice(1, -1)}}, and that variable isn't set`, "set it");
      }
      const near = nearest(name, ["node", "slot", "env"]);
      const known = near === undefined ? "known are {node}, {slot} and {env:NAME}" : undefined;
      return refuse(
        `has the unknown template ${quoted(whole)}`,
        known ?? `did you mean ${near === "env" ? "{env:NAME}" : `{${near}}`}?`,
      );
    },
  );
}

/** A text as one field, so that expand gives it back. */
export function escape_field(text: string): string {
  return text.replace(/[\\,;{}]/g, "\\$&");
}
