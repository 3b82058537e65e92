import type { Command } from "commander";
import type { LockRecord } from "../core/record.ts";
import { exitCodes, Failure, LockUnknown } from "../errors.ts";
import type { Lock } from "../lock/lock.ts";
import { format_option } from "./format.ts";
import { look, type OpenLock, sleep, with_lock } from "./look.ts";
import { add_options, lock_options } from "./options.ts";
import type { Terminal } from "./terminal.ts";

/** Nobody holds the lock, or whoever does publishes no address. */
class NoLeader extends Failure {
  readonly code = "no-leader";
  readonly exitCode = exitCodes.unreachable;
}

/** With --watch: how soon a change is seen without a word from the lock service. */
const poll_ms = 2000;
/** And while nobody holds the lock. */
const poll_free_ms = 250;

/** `leasehold leader`: where clients find the live copy. */
export function add_leader(program: Command, terminal: Terminal, open: OpenLock): void {
  add_options(program.command("leader"), lock_options)
    .option("--watch", "print each new holder until interrupted")
    .addOption(format_option(["json", "env", "url"]))
    .summary("print who holds the lock, for clients")
    .description("Prints who holds the lock: JSON, shell variables, or only its --advertise address.")
    .addHelpText(
      "after",
      '\nExample:\n  mysql --host "$(leasehold leader --lock zk://zk1/mysql --format url)"',
    )
    .action(({ watch, format = "json" }: { watch?: true; format?: string }, command: Command) =>
      with_lock(command, terminal, open, async (lock) => {
        if (watch) return follow(lock, terminal, format);
        const { holder } = await look(lock);
        if (!holder && format !== "json") throw new NoLeader("nobody holds the lock", lock.url, "try again");
        if (format === "url" && holder?.address === null) {
          throw new NoLeader(`${holder.holder} publishes no address`, "", "give it --advertise");
        }
        terminal.write(print(holder, format));
      }),
    );
}

/** Prints the holder now and at each change; an unreachable lock service changes nothing and is told once. */
async function follow(lock: Lock, { write, warn }: Terminal, format: string): Promise<never> {
  let last: string | undefined;
  let told = false;
  for (;;) {
    try {
      const { holder } = await look(lock);
      told = false;
      const text = print(holder, format);
      if (text !== last) write(text);
      last = text;
      await (holder ? change(lock) : sleep(poll_free_ms));
    } catch (error) {
      if (!(error instanceof LockUnknown)) throw error;
      if (!told) warn(error.message);
      told = true;
      await sleep(poll_free_ms);
    }
  }
}

/** Resolves when the lock may be free, or it is time to look. */
async function change(lock: Lock): Promise<void> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), poll_ms);
  try {
    await lock.wait(abort.signal);
  } catch (error) {
    if (!abort.signal.aborted) throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** One line, or the lines of `env`. */
function print(record: LockRecord | null, format: string): string {
  const { holder = "", instance = "", address = null, claim = "", since = "" } = record ?? {};
  if (format === "url") return `${address ?? ""}\n`;
  if (format === "env") {
    const variables = { NODE: holder, INSTANCE: instance, ADDRESS: address ?? "", TOKEN: claim };
    const lines = Object.entries(variables).map(
      ([name, value]) => `LEASEHOLD_LEADER_${name}=${shell(value)}\n`,
    );
    return lines.join("");
  }
  return `${record ? JSON.stringify({ node: holder, instance, address, token: claim === "" ? null : claim, since }) : "null"}\n`;
}

/** One word to sh, whatever is in it: a record is written by others. */
function shell(text: string): string {
  return `'${text.replaceAll("\0", "").replaceAll("'", `'\\''`)}'`;
}
