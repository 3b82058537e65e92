import type { Command } from "commander";
import { json_schema, options_markdown } from "../config/schema.ts";
import { show } from "../config/show.ts";
import { format_option } from "./format.ts";
import { add_profile } from "./profile.ts";
import { add_options, flag_options, read_config, read_settings } from "./options.ts";
import { type Terminal, warn_all } from "./terminal.ts";

const all_of_run = "It takes all options of leasehold run: docs/options.md.";

/** `leasehold config check|show|schema|profile`. */
export function add_config(program: Command, terminal: Terminal): void {
  const { write } = terminal;
  const config = program.command("config").summary("check and show the configuration");
  config.description("Checks and shows the configuration; nothing is started and no server is asked.");
  config.addHelpText("after", "\nExample:\n  leasehold config check --config leasehold.yaml");

  add_options(config.command("check"), flag_options, ["config", "lock"])
    .summary("say ok, or what is wrong")
    .description("Reads flags, environment and file as run would, and says ok or what is wrong.")
    .addHelpText(
      "after",
      `\n${all_of_run}\n\nExample:\n  leasehold config check --config leasehold.yaml --ttl 10s`,
    )
    .action(async (_options: unknown, command: Command) => {
      warn_all(terminal, await read_config(command));
      write("ok\n");
    });

  add_options(config.command("show"), flag_options, ["config", "lock"])
    .summary("print the options in effect")
    .description("Prints the options in effect as YAML, each with where it came from.")
    .addHelpText(
      "after",
      `\n${all_of_run}\n\nExample:\n  LEASEHOLD_TTL=10s leasehold config show --lock zk://zk1/mysql`,
    )
    .action(async (_options: unknown, command: Command) => {
      const settings = await read_settings(command);
      warn_all(terminal, settings);
      write(show(settings));
    });

  config
    .command("schema")
    .summary("print the file's JSON Schema")
    .description("Prints the JSON Schema of the configuration file, for editors and CI.")
    .addOption(format_option(["json", "markdown"]))
    .addHelpText("after", "\nExample:\n  leasehold config schema > leasehold.schema.json")
    .action(({ format }: { format?: string }) => {
      write(format === "markdown" ? options_markdown() : `${JSON.stringify(json_schema(), null, 2)}\n`);
    });
  add_profile(config, terminal);
}
