import type { Command } from "commander";
import { escaped } from "../../config/quoted.ts";
import { ConfigError } from "../../errors.ts";
import { add_options, flag_options, read_settings } from "../options.ts";
import { type Terminal, warn_all } from "../terminal.ts";
import { read_app } from "./app.ts";
import { read_facts } from "./facts.ts";
import { diagnose } from "./judge.ts";

/** `leasehold doctor`: what this container or machine lacks. */
export function add_doctor(program: Command, terminal: Terminal): void {
  add_options(program.command("doctor"), flag_options, ["config", "profile", "volume", "margin"])
    .summary("say what this container or machine lacks")
    .description(
      "Looks at kernel, /proc, capabilities, limits and options, the app's command and data, and changes nothing.",
    )
    .usage("[options] [-- COMMAND [ARG...]]")
    .argument("[command...]")
    .addHelpText(
      "after",
      "\nAll options of run are taken: docs/options.md.\n\nExample:\n  docker exec CONTAINER /opt/leasehold/leasehold doctor -- mysqld",
    )
    .action(async (words: string[], _options: unknown, command: Command) => {
      const settings = await read_settings(command);
      warn_all(terminal, settings);
      const all = diagnose(read_facts(), settings, await read_app(words, settings));
      for (const { how, sentence } of all) terminal.write(`${how.padEnd(5)}  ${escaped(sentence)}.\n`);
      const count = all.filter(({ how }) => how === "wrong").length;
      if (count > 0)
        throw new ConfigError(
          count === 1 ? "one thing is wrong" : `${count} things are wrong`,
          "",
          "each line that begins with wrong ends with what to do",
        );
    });
}
