import { program } from "../../src/cli/program.ts";
import type { OpenLock } from "../../src/cli/look.ts";
import { Failure } from "../../src/errors.ts";

/** What a command line writes, or how it fails; warnings are lines that begin with "warning: ". */
export function outcome(...argv: string[]): Promise<string> {
  return outcome_with(undefined, ...argv);
}

export async function outcome_with(open: OpenLock | undefined, ...argv: string[]): Promise<string> {
  let output = "";
  const add = (text: string): unknown => (output += text);
  try {
    await program(argv, add, (sentence) => add(`warning: ${sentence}\n`), open);
    return output;
  } catch (error) {
    if (error instanceof Failure) return `${output}${error.exitCode} ${error.message}`;
    throw error;
  }
}
