import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import { ConfigError } from "../errors.ts";
import { nearest } from "./nearest.ts";
import { is_option, option_names, type OptionName, takes, takes_list } from "./options.ts";
import { quoted } from "./quoted.ts";
import { read_file } from "./read-file.ts";
import type { Raw } from "./values.ts";

export type Entry = { name: OptionName; raw: Raw; where: string };

const max_bytes = 1_000_000;

/** Far more than there are options; what is deeper or longer was written for something else. */
const keys_max = 1000;

/** The options in a YAML file: one mapping of option names to texts; a hook or the volumes may be a list of texts. */
export function read_config_file(path: string): Entry[] {
  return parse_config(read_file(path, "the configuration file", max_bytes), path);
}

export function parse_config(text: string, path: string): Entry[] {
  const lines = new LineCounter();
  const place = (offset: number): string => `${quoted(path)}, line ${lines.linePos(offset).line}`;
  const refuse = (where: string, what: string, remedy: string): never => {
    throw new ConfigError(`${where}: ${what}`, path, remedy);
  };
  if (text.includes("\0")) refuse(quoted(path), "it holds a NUL character", "store it as UTF-8 text");
  // Failsafe: every value is the text that was written. 08 stays 08, and no is no. Duplicates are looked for here:
  // the library compares every key with every other, minutes for a megabyte.
  const document = parseDocument(text, {
    schema: "failsafe",
    prettyErrors: false,
    uniqueKeys: false,
    lineCounter: lines,
    // Not "silent": that would take a second document for none.
    logLevel: "error",
  });
  const [wrong] = [...document.errors, ...document.warnings];
  if (wrong)
    return refuse(place(wrong.pos[0]), what_is_wrong(wrong.code, wrong.message), "see docs/options.md");
  const { contents } = document;
  if (contents === null || plain_text(contents) === "") return [];
  if (!isMap<Node, Node | null>(contents)) {
    return refuse(place(contents.range[0]), "it is no list of options", "write e.g. ttl: 30s");
  }
  if (contents.items.length > keys_max)
    refuse(quoted(path), `it has more than ${keys_max} keys`, "name the right file");

  const seen = new Map<string, string>();
  const entries: Entry[] = [];
  for (const { key, value } of contents.items) {
    const where = place(key.range[0]);
    const name = plain_text(key);
    if (name === undefined) return refuse(where, "a key is no plain text", "write e.g. ttl: 30s");
    const first = seen.get(name);
    if (first !== undefined)
      return refuse(where, `${quoted(name)} is there twice`, `the first is in ${first}`);
    seen.set(name, where.slice(quoted(path).length + 2));
    const known = check_key(name, where);
    const raw = value === null ? "" : text_of(value);
    if (raw === undefined) {
      const list = takes_list(known);
      refuse(
        where,
        `${name} is no ${list ? "text or list of texts" : "text"}`,
        "no anchors, tags or mappings here",
      );
    } else entries.push({ name: known, raw, where: `${where}: ${name}` });
  }
  return entries;
}

/** Refuses a key that is no option here. */
function check_key(name: string, where: string): OptionName {
  if (is_option(name) && takes(name, "file")) return name;
  const near = nearest(
    name,
    option_names.filter((known) => takes(known, "file")),
  );
  const [what, remedy] =
    name === "config"
      ? ["config can't stand in the file itself", "give --config"]
      : name === "lock-password"
        ? ["the password doesn't belong here", "give lock-password-file"]
        : [`${quoted(name)} is no option`, near ? `did you mean ${near}?` : "see docs/options.md"];
  throw new ConfigError(`${where}: ${what}`, name, remedy);
}

function text_of(node: Node): Raw | undefined {
  if (!isSeq<Node>(node)) return plain_text(node);
  if (node.tag !== undefined || node.anchor !== undefined || node.items.length > 1000) return undefined;
  const texts = node.items.map(plain_text);
  return texts.includes(undefined) ? undefined : texts.filter((text) => text !== undefined);
}

function plain_text(node: Node): string | undefined {
  if (!isScalar(node) || node.anchor !== undefined || node.tag !== undefined) return undefined;
  return typeof node.value === "string" ? node.value : undefined;
}

function what_is_wrong(code: string, message: string): string {
  switch (code) {
    case "RESOURCE_EXHAUSTION":
      return "it is nested too deeply";
    case "MULTIPLE_DOCS":
      return "it has more than one document";
    case "TAB_AS_INDENT":
      return "a tab is no indentation";
    default:
      return `it is no YAML: ${message.split("\n")[0]?.replace(/\.$/, "") ?? code}`;
  }
}
