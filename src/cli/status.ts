import type { Command } from "commander";
import { escaped } from "../config/quoted.ts";
import type { LockRecord } from "../core/record.ts";
import type { LockView } from "../lock/lock.ts";
import { format_option } from "./format.ts";
import { look, type OpenLock, with_lock } from "./look.ts";
import { add_options, lock_options } from "./options.ts";
import type { Terminal } from "./terminal.ts";

/** `leasehold status`: who holds the lock and who stands by, as the lock service says. */
export function add_status(program: Command, terminal: Terminal, open: OpenLock): void {
  add_options(program.command("status"), lock_options)
    .addOption(format_option(["text", "json"]))
    .summary("show who holds the lock and who stands by")
    .description("Asks the lock service who holds the lock and who stands by. It changes nothing.")
    .addHelpText("after", "\nExample:\n  leasehold status --lock zk://zk1,zk2/mysql")
    .action(({ format }: { format?: string }, command: Command) =>
      with_lock(command, terminal, open, async (lock) => {
        const view = await look(lock);
        const { url } = lock;
        terminal.write(
          format === "json" ? `${JSON.stringify({ lock: url, ...view }, null, 2)}\n` : text(url, view),
        );
      }),
    );
}

function text(url: string, { holder, record, contenders }: LockView): string {
  const others = contenders.filter(({ instance }) => instance !== holder?.instance);
  const names = others.map(({ node, address }) => `${node}${address === null ? "" : ` at ${address}`}`);
  const rows: [string, string][] = [
    ["lock", url],
    ["holder", holder ? describe(holder) : "nobody"],
    ...(holder || !record
      ? []
      : [["last", `${describe(record)}, ended ${ending(record)}`] satisfies [string, string]]),
    ...(names.length > 0 ? names : ["nobody"]).map((name, index): [string, string] => [
      index === 0 ? "standby" : "",
      name,
    ]),
  ];
  return rows.map(([name, value]) => `${name.padEnd(8)} ${escaped(value)}\n`).join("");
}

function describe({ holder, address, since, claim }: LockRecord): string {
  const where = address === null ? "" : ` at ${address}`;
  return `${holder}${where} since ${since}${claim === "" ? "" : `, token ${claim}`}`;
}

/** `running` beside a free lock: whoever had it didn't get to write how it ended. */
function ending({ state }: LockRecord): string {
  return state === "running" ? "without a word: the next holder has to fence" : state;
}
