import type { Command } from "commander";
import { nearest } from "../config/nearest.ts";
import { profile_names } from "../config/profiles/all.ts";
import { profile_markdown, profiles_markdown } from "../config/profiles/markdown.ts";
import { quoted } from "../config/quoted.ts";
import { UsageError } from "../errors.ts";
import type { Terminal } from "./terminal.ts";

/** `leasehold config profile [NAME]`: what is known of an app, as in docs/profiles. */
export function add_profile(config: Command, { write }: Terminal): void {
  config
    .command("profile")
    .argument("[name]")
    .summary("print what is known of an app")
    .description("Prints the profiles, or one of them: its options, and what is looked at in the app's data.")
    .addHelpText("after", "\nExample:\n  leasehold config profile postgres")
    .action((name?: string) => {
      if (name === undefined) return write(profiles_markdown());
      const known = profile_names.find((one) => one === name);
      if (known !== undefined) return write(profile_markdown(known));
      const near = nearest(name, profile_names);
      throw new UsageError(
        `there is no profile ${quoted(name)}`,
        name,
        near === undefined ? "leasehold config profile lists them" : `did you mean ${near}?`,
      );
    });
}
