import { type Command, Option } from "commander";
import type { Flags, Settings } from "../config/load.ts";
import { too_short } from "../config/load.ts";
import type { LockUrl } from "../config/lock-url.ts";
import { escaped } from "../config/quoted.ts";
import { check, ms, quiet_ms, type Timing } from "../core/timing.ts";
import { ConfigError } from "../errors.ts";
import { stop_budget } from "./budget.ts";
import { explain_file, orchestrators } from "./deploy/explain.ts";
import { draw } from "./drawing.ts";
import { add_options, flag_options, flags_of, once, read_settings } from "./options.ts";
import { type Terminal, warn_all } from "./terminal.ts";

/** `leasehold explain`: the durations as a drawing, and what they mean. */
export function add_explain(program: Command, terminal: Terminal): void {
  const shown = ["config", "lock", "ttl", "loss-grace", "drain", "stop-timeout"] as const;
  const command = add_options(program.command("explain"), flag_options, shown);
  for (const name of orchestrators)
    command.addOption(
      new Option(`--${name} <FILE>`, `check that file's times and probes`).argParser(once(`--${name}`)),
    );
  command
    .summary("draw the durations and what they mean")
    .description("Draws the lease with the durations in effect, and says what fits and what doesn't.")
    .addHelpText(
      "after",
      "\nAll options of run are taken: docs/options.md.\n\nExamples:\n  leasehold explain --ttl 10s\n  leasehold explain --kubernetes statefulset.yaml",
    )
    .action(async (given: Readonly<Record<string, unknown>>, command: Command) => {
      const files = orchestrators.flatMap((name) => {
        const path = given[name];
        return typeof path === "string" ? [{ name, path }] : [];
      });
      if (files.length > 0) return explain_files(files, flags_of(command), terminal);
      const settings = await read_settings(command);
      warn_all(terminal, settings);
      terminal.write(`${explain(settings).join("\n")}\n`);
      const [wrong] = check(settings.timing);
      if (wrong !== undefined) throw too_short(wrong, settings.timing);
    });
}

async function explain_files(
  files: readonly { name: (typeof orchestrators)[number]; path: string }[],
  flags: Flags,
  { write }: Terminal,
): Promise<void> {
  let wrong = 0;
  for (const { name, path } of files) {
    const explained = await explain_file(name, path, flags);
    wrong += explained.wrong;
    write(`${explained.lines.map(escaped).join("\n")}\n`);
  }
  if (wrong === 0) return;
  const what = wrong === 1 ? "one thing there is wrong" : `${wrong} things there are wrong`;
  throw new ConfigError(
    what,
    files.map(({ path }) => path).join(" "),
    "each line above ends with what to do",
  );
}

function explain(settings: Settings): string[] {
  const { timing, given } = settings;
  const wrong = check(timing).length > 0;
  return [
    ...draw(timing),
    "",
    ...(wrong ? ["These durations can't work together; see the last line."] : outage(timing)),
    "",
    ...bounds(timing, given.values.lock),
    "",
    ...storage(settings),
    ...limits_of(settings),
  ];
}

function outage(timing: Timing): string[] {
  const { ttl_ms, renew_ms, attempt_ms, loss_grace_ms } = timing;
  const grace = loss_grace_ms === 0 ? "is killed at once" : `has ${ms(loss_grace_ms)} to stop before SIGKILL`;
  return [
    `A renewal starts every ${ms(renew_ms)}; an attempt that takes ${ms(attempt_ms)} is given up for the next server.`,
    `The lock service may be silent for ${ms(quiet_ms(timing) - renew_ms)}; then the app ${grace}.`,
    `A crash of app or leasehold frees the lock at once; a lost machine's is free after ${ms(ttl_ms)} or somewhat more.`,
  ];
}

function bounds(
  { ttl_ms, renew_ms, attempt_ms, loss_grace_ms, drain_ms, margin_ms }: Timing,
  lock?: LockUrl,
): string[] {
  const least_ms = renew_ms + 2 * attempt_ms + loss_grace_ms + drain_ms + margin_ms;
  const zookeeper = [
    "ZooKeeper: the bound is the session timeout that the servers grant, from the send of the re-attach's connect",
    `request; they cut ${ms(ttl_ms)} to 2 to 20 ticks (4 s to 40 s by default). To outlive the loss of their leader it`,
    "has to be longer than syncLimit ticks and an election: 12 s with the sample configuration.",
  ];
  const whole_ms = Math.ceil(ttl_ms / 1000) * 1000;
  const etcd = [
    `etcd: the bound is the TTL granted, from the send of the grant; whole seconds, here ${ms(whole_ms)}.`,
    "Servers grant at least 2 s by default; a new leader only lengthens it.",
  ];
  const least = `With these parts a bound under ${ms(least_ms / 0.999)} is refused.`;
  switch (lock?.scheme) {
    case "zk":
    case "zks":
      return [...zookeeper, least];
    case "etcd":
    case "etcds":
      return [...etcd, least];
    case "file":
    case "memory":
      return [`The ${lock.scheme} lock grants what is asked for: the bound is ${ms(ttl_ms)}.`, least];
    case undefined:
      return [...zookeeper, ...etcd, least];
  }
}

/** Where there are volumes: when one counts as lost, and what the volume lease costs a take-over. */
function storage({ timing, volumes, volume_lease, on_outage, given }: Settings): string[] {
  if (volumes.length === 0) return [];
  const losses = volumes.map(({ path, probe: { every_ms, limit_ms, misses } }) => {
    const most_ms = every_ms + limit_ms * misses;
    return (
      `${path} is looked at every ${ms(every_ms)}, and at once when mounts change; no answer within ${ms(limit_ms)}, ` +
      `${misses} in a row: killed after at most ${ms(most_ms)} and half a second.`
    );
  });
  const [first] = volumes;
  const age = typeof first?.view_age_ms === "number" ? `2 × ${ms(first.view_age_ms)}` : "2 A";
  const alone = on_outage === "hold" || given.values.lock?.scheme === "file";
  const lease = [
    `${first?.path ?? ""} vouches too: after a clean release the next one waits for nothing, after a crash ${ms(timing.ttl_ms)} + ${age}`,
    alone
      ? "(docs/storage.md has A). The volume's word is enough: no outage of a lock service stops the app."
      : "(docs/storage.md has A). The app needs both, the lock and the volume.",
  ];
  return [...losses, ...(volume_lease ? lease : []), ""];
}

/** What each gives a container between its stop signal and its own SIGKILL, by default. */
const limits = [
  { name: "Kubernetes", option: "terminationGracePeriodSeconds", limit_s: 30 },
  { name: "Docker", option: "docker stop --time", limit_s: 10 },
  { name: "Marathon", option: "taskKillGracePeriodSeconds", limit_s: 3 },
] as const;

function limits_of(settings: Settings): string[] {
  const { needed_ms, needed_s, parts } = stop_budget(settings);
  return [
    `A requested stop takes at most ${ms(needed_ms)}: ${parts}.`,
    ...limits.map(({ name, option, limit_s }) => {
      const fits = needed_ms <= limit_s * 1000;
      const verdict = fits ? "fits" : `too short for a clean stop, give ${needed_s}`;
      return `  ${name.padEnd(10)}  ${option} (${limit_s} s by default): ${verdict}`;
    }),
  ];
}
