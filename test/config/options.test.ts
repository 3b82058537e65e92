import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { option, option_names, takes } from "../../src/config/options.ts";
import { json_schema, options_markdown } from "../../src/config/schema.ts";
import { parse_value } from "../../src/config/values.ts";

test("docs/options.md is what the table says", () => {
  const file = readFileSync(join(import.meta.dirname, "../../docs/options.md"), "utf8");
  assert.equal(file, options_markdown(), "leasehold config schema --format markdown > docs/options.md");
});

test("a default that is a value is one that would be taken", () => {
  for (const name of option_names) {
    const { kind, default: value } = option(name);
    if (["", "required"].includes(value) || /[ ,/]/.test(value)) continue;
    assert.doesNotThrow(() => parse_value(name, value, name), kind);
  }
});

test("every option has its line for help, and no secret is a flag or stands in the file", () => {
  for (const name of option_names) {
    const { kind, meaning, why, placeholder } = option(name);
    assert.ok(meaning.length <= 48, name);
    assert.ok(why.length > 0, name);
    assert.equal(takes(name, "flag"), placeholder !== undefined, name);
    if (kind === "secret") assert.ok(!takes(name, "flag") && !takes(name, "file"));
  }
});

test("the schema has each key of the file and allows no other", () => {
  const { properties, additionalProperties } = json_schema() as {
    properties: object;
    additionalProperties: boolean;
  };
  assert.deepEqual(
    Object.keys(properties),
    option_names.filter((name) => takes(name, "file")),
  );
  assert.equal(additionalProperties, false);
});
