// A command of the user's inside a backup or restore: it runs in that one's job, and dies with it.

import { quoted } from "../config/quoted.ts";
import { without_ours } from "./memory.ts";

export type Command = readonly string[];

/** It failed: how, as the end of a sentence. */
export class CommandFailed extends Error {}

/** Lines of one command that are told; of more only the last reaches the failure's sentence. */
const lines_max = 100;

/** set: without LEASEHOLD_ before it; null is empty. Throws CommandFailed unless it ends with 0. What it leaves running ends with the job. */
export async function run_command(
  what: string,
  command: Command,
  set: Readonly<Record<string, string | null>>,
  note: (sentence: string) => void,
): Promise<void> {
  const [program = "", ...args] = command;
  const { spawn } = process.getBuiltinModule("node:child_process");
  const ours = Object.entries(set).map(([name, value]) => [`LEASEHOLD_${name}`, value ?? ""]);
  const env = { ...without_ours(process.env), ...Object.fromEntries(ours) };
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env });
  let told = 0;
  let last = "";
  let rest = "";
  const line = (text: string): void => {
    if (text.trim() === "") return;
    last = text;
    if (++told <= lines_max) note(`${what}: ${text.slice(0, 500)}`);
  };
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split(/[\r\n]+/);
      rest = (lines.pop() ?? "").slice(-1000);
      for (const one of lines) line(one);
    });
  const failed = await new Promise<string | null>((resolve) => {
    child.on("error", (error) => resolve(`can't be executed (${error.message})`));
    // Not its close: what it leaves running may hold its output for ever.
    child.on("exit", (code, signal) => {
      setImmediate(() =>
        resolve(code === 0 ? null : signal ? `ended by ${signal}` : `ended with code ${code}`),
      );
    });
  });
  line(rest);
  if (failed === null) return;
  const said = last === "" ? "" : `; it said: ${last.slice(0, 200)}`;
  throw new CommandFailed(`the ${what} command ${quoted(command.join(" "))} ${failed}${said}`);
}
